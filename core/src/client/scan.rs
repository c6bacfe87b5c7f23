//! All keys, page by page, over all nodes of a cluster.

use super::Client;
use crate::connection::Batch;
use crate::connection::cluster::Cluster;
use crate::connection::node::Node;
use crate::error::{Error, ErrorCode, Result};
use crate::reply::{Reply, ReplyKind};
use bytes::Bytes;
use std::collections::BTreeSet;
use std::sync::Arc;

/// What a scan looks for. The default: every key.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct ScanOptions {
    /// Only keys that match this pattern (`MATCH`).
    pub pattern: Option<Vec<u8>>,
    /// About how many keys the server looks at per page (`COUNT`); its default is 10.
    pub count: Option<u32>,
    /// Only keys of this type (`TYPE`), such as `string` or `hash`.
    pub key_type: Option<String>,
}

/// A walk over all keys.
///
/// Every key that exists from the walk's begin to its end comes at least once, also where slots move from
/// one node to another meanwhile; a key may come twice.
pub struct Scan {
    client: Client,
    options: ScanOptions,
    cursor: u64,
    /// The node being walked and its slots at the begin; `None` between two nodes.
    node: Option<(Arc<Node>, BTreeSet<u16>)>,
    /// The slots that need no more looking at.
    done: BTreeSet<u16>,
    over: bool,
}

impl std::fmt::Debug for Scan {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Scan")
            .field("options", &self.options)
            .field("over", &self.over)
            .finish_non_exhaustive()
    }
}

impl Client {
    /// Walks over all keys, on a cluster over those of all nodes.
    ///
    /// ```no_run
    /// # async fn example(client: keyless::Client) -> keyless::Result<()> {
    /// let mut scan = client.scan(keyless::ScanOptions::default());
    /// while let Some(keys) = scan.next().await? {
    ///     println!("{} keys", keys.len());
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub fn scan(&self, options: ScanOptions) -> Scan {
        Scan { client: self.clone(), options, cursor: 0, node: None, done: BTreeSet::new(), over: false }
    }
}

impl Scan {
    /// The next page of keys, which may be empty; `None` when all keys have come.
    ///
    /// # Errors
    /// As [`Client::execute`]. The walk can go on with the next call.
    pub async fn next(&mut self) -> Result<Option<Vec<Bytes>>> {
        let page = self.next_reply().await?;
        Ok(page.map(|keys| keys.parts().iter().filter_map(Reply::shared_bytes).collect()))
    }

    /// The same page as it came: an array of strings, which shares the read buffer's memory.
    ///
    /// # Errors
    /// As [`Scan::next`].
    pub async fn next_reply(&mut self) -> Result<Option<Reply>> {
        if self.over {
            return Ok(None);
        }
        let client = self.client.clone();
        match client.0.discovery.cluster() {
            None => {
                let page = self.page(&client.0.node).await?;
                self.over = self.cursor == 0;
                Ok(Some(page))
            }
            Some(cluster) => self.next_of(cluster).await,
        }
    }

    async fn next_of(&mut self, cluster: &Cluster) -> Result<Option<Reply>> {
        let Some((node, slots)) = self.node.take().or_else(|| self.next_node(cluster)) else {
            self.over = true;
            return Ok(None);
        };
        // A node that has left, or lost everything, is not asked any more: its slots are looked for anew.
        let still: BTreeSet<u16> = cluster.slots_of(&node).intersection(&slots).copied().collect();
        if still.is_empty() {
            self.cursor = 0;
            return Ok(Some(Reply::gathered(Vec::new())));
        }
        let page = self.page(&node).await;
        if page.is_err() {
            self.node = Some((node, still));
        } else if self.cursor == 0 {
            // Only what was here all the time has been seen whole.
            let now = cluster.slots_of(&node);
            self.done.extend(still.intersection(&now));
        } else {
            self.node = Some((node, still));
        }
        page.map(Some)
    }

    fn next_node(&self, cluster: &Cluster) -> Option<(Arc<Node>, BTreeSet<u16>)> {
        let owners = cluster.primaries().into_iter().map(|(_, node, _)| node);
        owners
            .map(|node| {
                let slots = cluster.slots_of(&node);
                (node, slots)
            })
            .find(|(_, slots)| !slots.is_subset(&self.done))
    }

    async fn page(&mut self, node: &Node) -> Result<Reply> {
        let (cursor, count) = (self.cursor.to_string(), self.options.count.map(|count| count.to_string()));
        let mut command: Vec<&[u8]> = vec![b"SCAN", cursor.as_bytes()];
        if let Some(pattern) = &self.options.pattern {
            command.extend([b"MATCH", &pattern[..]]);
        }
        if let Some(count) = &count {
            command.extend([b"COUNT", count.as_bytes()]);
        }
        if let Some(key_type) = &self.options.key_type {
            command.extend([b"TYPE", key_type.as_bytes()]);
        }
        let mut batch = Batch::new();
        batch.push(&command)?;
        let frame = self.client.ask_node(node, batch, self.client.command_timeout()).await?;
        let reply = Reply::scanned(frame).into_result()?;
        let (cursor, keys) = page_of(&reply).ok_or_else(|| {
            Error::new(
                ErrorCode::UnexpectedReply,
                format!("The reply to SCAN is no cursor with keys: {}.", reply.describe()),
                "Check what answers: it does not speak as Redis does.",
            )
            .executed(true)
        })?;
        self.cursor = cursor;
        Ok(keys)
    }
}

/// The next cursor and the keys.
fn page_of(reply: &Reply) -> Option<(u64, Reply)> {
    let [cursor, keys] = reply.parts() else { return None };
    let cursor = std::str::from_utf8(cursor.bytes()?).ok()?.parse().ok()?;
    (keys.kind() == ReplyKind::Array).then(|| (cursor, keys.clone()))
}
