//! Tests of the quorum in a small lab: fake buses, and files that can be torn, full or damaged.

mod arbitration;
mod lab;
mod majority;
mod model;
mod power;
