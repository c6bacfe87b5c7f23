//! The console sample.

fn main() {}
