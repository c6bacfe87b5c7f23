//! What can be sent to a node, and sent again to another one: one request, or one transaction, with its sink.

use super::distribute::{Distribute, Place};
use super::plan::Plan;
use super::table::Table;
use crate::connection::batch::{Batch, CompletionSink};
use crate::connection::node::Node;
use crate::connection::outbox::{Block, Failure, Times};
use crate::connection::redirect::Redirected;
use crate::error::Error;
use std::sync::Arc;

/// Whether this is the permission that goes before a request; alone it would serve a stranger's.
pub(super) fn is_asking(request: &[u8]) -> bool {
    request == b"*1\r\n$6\r\nASKING\r\n"
}

/// One request, or one transaction, that can be sent.
pub(super) struct Sendable {
    pub(super) batch: Batch,
    pub(super) first_tag: u64,
    pub(super) sink: Arc<dyn CompletionSink>,
    pub(super) times: Times,
}

impl Sendable {
    pub(super) fn of(batch: &mut Batch, first_tag: u64, sink: Arc<dyn CompletionSink>, times: Times) -> Self {
        Self { batch: std::mem::take(batch), first_tag, sink, times }
    }

    /// What a run of a block holds that somebody still waits for: a transaction whole, all else one by one.
    pub(super) fn of_run(block: &Block, index: usize) -> Vec<Self> {
        let run = &block.runs[index];
        let Some(sink) = &run.sink else { return Vec::new() };
        let (first, end) = (run.first, block.run_end(index));
        let step = if run.atomic || run.pinned { (end - first).max(1) } else { 1 };
        let mut found = Vec::new();
        for first_of_these in (first..end).step_by(step) {
            if is_asking(block.request(first_of_these)) {
                continue;
            }
            let mut batch = Batch { atomic: run.atomic, pinned: run.pinned, ..Batch::default() };
            for request in first_of_these..first_of_these + step {
                batch.bytes.extend_from_slice(block.request(request));
                batch.ends.push(batch.bytes.len());
            }
            found.push(Self {
                batch,
                first_tag: run.first_tag + (first_of_these - first) as u64,
                sink: Arc::clone(sink),
                times: run.times(),
            });
        }
        found
    }

    /// Whether a node serves it.
    pub(super) fn belongs_to(&self, node: &Arc<Node>, table: &Table) -> bool {
        let plan = Plan::of(&self.batch, self.first_tag, &self.sink, table);
        matches!(plan, Ok(Plan::One(owner)) if Arc::ptr_eq(&owner, node))
    }

    /// The same request with the permission to use a slot that is on its way.
    pub(super) fn asking(mut self) -> Self {
        let mut batch = Batch::new();
        batch.push_own(&["ASKING"]);
        let base = batch.bytes.len();
        batch.bytes.append(&mut self.batch.bytes);
        batch.ends.extend(self.batch.ends.iter().map(|end| base + end));
        let tags = self.first_tag..self.first_tag + self.batch.ends.len() as u64;
        let places = std::iter::once(Place::Nowhere).chain(tags.map(Place::Tag)).collect();
        let sink = Arc::new(Distribute { sink: self.sink, places });
        Self { batch, first_tag: 0, sink, times: self.times }
    }

    pub(super) fn failure(self, error: &Error) -> Vec<Failure> {
        let count = self.batch.len();
        let (sink, first_tag) = (self.sink, self.first_tag);
        vec![Failure { sink, first_tag, count, error: error.clone(), own: false }]
    }
}

impl From<Redirected> for Sendable {
    fn from(redirected: Redirected) -> Self {
        Self {
            batch: Batch {
                bytes: redirected.bytes,
                ends: redirected.ends,
                atomic: redirected.atomic,
                pinned: false,
            },
            first_tag: redirected.first_tag,
            sink: redirected.sink,
            times: redirected.times,
        }
    }
}
