//! A batch cut into pieces, one for each node.

use super::distribute::Place;
use super::gather::{Combine, Gather};
use super::route::{Route, common_slot, requests, route};
use super::table::Table;
use crate::connection::batch::{Batch, CompletionSink};
use crate::connection::node::Node;
use crate::error::Result;
use std::sync::Arc;

/// Where a batch goes.
pub(super) enum Plan {
    /// To one node as it is.
    One(Arc<Node>),
    /// To one node that nobody knows yet.
    Nobody,
    /// In pieces.
    Several(Vec<Piece>),
}

/// The commands for one node.
pub(super) struct Piece {
    /// `None`: nobody serves them now.
    pub(super) node: Option<Arc<Node>>,
    pub(super) batch: Batch,
    /// Where each reply belongs.
    pub(super) places: Vec<Place>,
}

impl Plan {
    /// Where the commands of a batch go.
    ///
    /// # Errors
    /// Commands with keys in several slots that cannot be cut; nothing is sent then.
    pub(super) fn of(
        batch: &Batch,
        first_tag: u64,
        sink: &Arc<dyn CompletionSink>,
        table: &Table,
    ) -> Result<Self> {
        let one = |node: Option<&Arc<Node>>| node.map_or(Self::Nobody, |node| Self::One(Arc::clone(node)));
        if batch.atomic {
            let slot = common_slot(requests(batch))?;
            return Ok(one(slot.map_or_else(|| table.any(), |slot| table.owner(slot, false))));
        }
        let simple = |route: &Route| match route {
            Route::Any => Some(table.any()),
            Route::Slot { slot, reads } => Some(table.owner(*slot, *reads)),
            _ => None,
        };
        // By far the most frequent case, without a list.
        if batch.len() == 1
            && let Some(node) = simple(&route(&batch.bytes)?)
        {
            return Ok(one(node));
        }
        let routes = requests(batch).map(route).collect::<Result<Vec<_>>>()?;
        let mut pieces = Pieces::default();
        for (index, (request, route)) in requests(batch).zip(routes).enumerate() {
            let tag = first_tag + index as u64;
            match route {
                Route::Slots(parts, combine) => {
                    let gather = gather(combine, parts.len(), sink, tag);
                    for (index, part) in parts.into_iter().enumerate() {
                        let place = Place::Part(Arc::clone(&gather), index);
                        pieces.add(table.owner(part.slot, false), &part.bytes, place, false);
                    }
                }
                Route::Primaries(combine) => {
                    let primaries = table.primaries();
                    let gather = gather(combine, primaries.len().max(1), sink, tag);
                    if primaries.is_empty() {
                        pieces.add(None, request, Place::Tag(tag), false);
                    }
                    for (index, (_, node, _)) in primaries.iter().enumerate() {
                        pieces.add(Some(node), request, Place::Part(Arc::clone(&gather), index), true);
                    }
                }
                other => pieces.add(simple(&other).flatten(), request, Place::Tag(tag), false),
            }
        }
        Ok(pieces.into_plan(batch.len()))
    }
}

fn gather(combine: Combine, parts: usize, sink: &Arc<dyn CompletionSink>, tag: u64) -> Arc<Gather> {
    Arc::new(Gather::new(combine, parts, Arc::clone(sink), tag))
}

#[derive(Default)]
struct Pieces(Vec<Piece>);

impl Pieces {
    /// What is `pinned` is for this node and for no other one: it goes by itself.
    fn add(&mut self, node: Option<&Arc<Node>>, request: &[u8], place: Place, pinned: bool) {
        let same = |piece: &Piece| match (&piece.node, node) {
            _ if piece.batch.pinned != pinned => false,
            (Some(one), Some(other)) => Arc::ptr_eq(one, other),
            (None, None) => true,
            _ => false,
        };
        let index = self.0.iter().position(same).unwrap_or_else(|| {
            let batch = Batch { pinned, ..Batch::default() };
            self.0.push(Piece { node: node.cloned(), batch, places: Vec::new() });
            self.0.len() - 1
        });
        let piece = &mut self.0[index];
        piece.batch.bytes.extend_from_slice(request);
        piece.batch.ends.push(piece.batch.bytes.len());
        piece.places.push(place);
    }

    /// One piece that is the whole batch needs no cutting.
    fn into_plan(mut self, commands: usize) -> Plan {
        if self.0.len() == 1
            && self.0[0].places.len() == commands
            && self.0[0].places.iter().all(|place| matches!(place, Place::Tag(_)))
            && let Some(node) = self.0.pop()
        {
            return node.node.map_or(Plan::Nobody, Plan::One);
        }
        Plan::Several(self.0)
    }
}
