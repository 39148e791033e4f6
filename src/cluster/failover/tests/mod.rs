mod lab;
mod moves;
