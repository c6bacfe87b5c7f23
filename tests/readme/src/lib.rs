//! Compiles the examples of the README as documentation tests; `tests/` compares its tables with the code.

#![cfg_attr(doctest, doc = include_str!("../../../README.md"))]
