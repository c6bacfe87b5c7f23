//! All keys, page by page, over all nodes of a cluster.

use super::Client;
use crate::connection::cluster::Cluster;
use crate::connection::node::Node;
use crate::error::Result;
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

    async fn next_of(&mut self, cluster: &Cluster) -> Result<Option<Vec<Bytes>>> {
        let Some((node, slots)) = self.node.take().or_else(|| self.next_node(cluster)) else {
            self.over = true;
            return Ok(None);
        };
        // A node that has left, or lost everything, is not asked any more: its slots are looked for anew.
        let still: BTreeSet<u16> = cluster.slots_of(&node).intersection(&slots).copied().collect();
        if still.is_empty() {
            self.cursor = 0;
            return Ok(Some(Vec::new()));
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

    async fn page(&mut self, node: &Node) -> Result<Vec<Bytes>> {
        let mut command = redis::cmd("SCAN");
        command.arg(self.cursor);
        if let Some(pattern) = &self.options.pattern {
            command.arg("MATCH").arg(&pattern[..]);
        }
        if let Some(count) = self.options.count {
            command.arg("COUNT").arg(count);
        }
        if let Some(key_type) = &self.options.key_type {
            command.arg("TYPE").arg(key_type);
        }
        let (cursor, keys): (u64, Vec<Vec<u8>>) = self.client.ask_node(node, &command).await?;
        self.cursor = cursor;
        Ok(keys.into_iter().map(Bytes::from).collect())
    }
}
