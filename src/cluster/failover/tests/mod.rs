mod asking;
mod failures;
mod lab;
mod moves;
mod races;
mod random;
mod stopping;
