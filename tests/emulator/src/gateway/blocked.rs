//! Commands that Azure Managed Redis does not know. The real server is asked for a command of almost the same name,
//! so that it says in its own words, and in order, that there is none.

use super::scanner::Command;
use crate::options::{ClusterPolicy, EmulatorOptions, Profile};

/// A command, and which of its subcommands are meant: all of them when there are none here.
type Entry = (&'static str, &'static [&'static str]);

/// Azure's list, as of its page on configuration.
const MANAGED_REDIS: &[Entry] = &[
    ("BGREWRITEAOF", &[]),
    ("BGSAVE", &[]),
    ("MODULE", &["LOAD", "LOADEX", "UNLOAD"]),
    ("MOVE", &[]),
    ("PSYNC", &[]),
    ("REPLCONF", &[]),
    ("REPLICAOF", &[]),
    ("SAVE", &[]),
    ("SELECT", &[]),
    ("SHUTDOWN", &[]),
    ("SLAVEOF", &[]),
    ("SYNC", &[]),
];

/// With the clustering policy OSS, what reads the cluster is left.
const OSS: &[Entry] = &[(
    "CLUSTER",
    &[
        "ADDSLOTS",
        "ADDSLOTSRANGE",
        "BUMPEPOCH",
        "DELSLOTS",
        "DELSLOTSRANGE",
        "FAILOVER",
        "FLUSHSLOTS",
        "FORGET",
        "MEET",
        "REPLICATE",
        "RESET",
        "SAVECONFIG",
        "SET-CONFIG-EPOCH",
        "SETSLOT",
    ],
)];

/// With the clustering policy Enterprise there is no cluster to be seen.
const ENTERPRISE: &[Entry] = &[("CLUSTER", &[])];

/// What one gateway blocks.
pub(super) struct Blocked {
    tables: [&'static [Entry]; 2],
    names: Vec<&'static str>,
}

impl Blocked {
    pub(super) fn of(options: &EmulatorOptions) -> Self {
        let tables = match (&options.cluster, options.profile) {
            (Some(cluster), Profile::Amr) => match cluster.policy {
                ClusterPolicy::Oss => [MANAGED_REDIS, OSS],
                ClusterPolicy::Enterprise => [MANAGED_REDIS, ENTERPRISE],
            },
            (Some(cluster), Profile::Plain) if cluster.policy == ClusterPolicy::Enterprise => {
                [&[][..], ENTERPRISE]
            }
            _ => [&[][..]; 2],
        };
        Self { tables, names: tables.concat().iter().map(|(name, _)| *name).collect() }
    }

    /// The commands to look at.
    pub(super) fn names(&self) -> &[&'static str] {
        &self.names
    }

    /// Appends what goes to the server in place of this command, if it is blocked.
    pub(super) fn rewrite(&self, command: Command<'_>, out: &mut Vec<u8>) -> bool {
        let is = |argument: &[u8], name: &str| argument.eq_ignore_ascii_case(name.as_bytes());
        let blocked = self.tables.iter().copied().flatten().any(|(name, subcommands)| {
            is(command[0], name)
                && (subcommands.is_empty()
                    || command.get(1).is_some_and(|word| subcommands.iter().any(|sub| is(word, sub))))
        });
        if blocked {
            // No command has a space in its name, and the server's error shows hardly anything of it.
            let name = [command[0], b" "].concat();
            super::encode(std::iter::once(&*name).chain(command[1..].iter().copied()), out);
        }
        blocked
    }
}
