//! Commands that wait on the server. They never share a connection with others: each has one of the node's
//! own small pool for itself, and a long wait is cut into slices that end before the connection's token does.

mod call;
mod lane;
mod pool;
mod run;
mod slice;
mod stream;
pub(crate) mod wait;

pub(crate) use call::{Answers, Call};
pub(crate) use pool::Pool;
pub(super) use pool::over;
