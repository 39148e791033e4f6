mod asking;
mod failures;
mod lab;
mod moves;
mod races;
mod random;
mod setup;
mod stopping;
