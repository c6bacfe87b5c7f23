//! What all parts of one emulator share.

use std::{path::PathBuf, sync::OnceLock};

use tokio::runtime::Handle;

use crate::{
    cache::Cache,
    error::Error,
    faults::FaultState,
    identity::Directory,
    managed_identity::{HeldTokens, hosts::Hosts},
    nodes::Nodes,
    options::EmulatorOptions,
    stats::Journal,
    token::TokenFactory,
};

/// The state behind the endpoints, the gateways and the handle.
pub(crate) struct Shared {
    pub(crate) options: EmulatorOptions,
    pub(crate) runtime: Handle,
    pub(crate) directory: Directory,
    pub(crate) tokens: TokenFactory,
    pub(crate) held_tokens: HeldTokens,
    pub(crate) cache: Cache,
    pub(crate) faults: FaultState,
    pub(crate) journal: Journal,
    pub(crate) nodes: Nodes,
    pub(crate) temp_dir: PathBuf,
    pub(crate) app_service_secret: String,
    pub(crate) hosts: Hosts,
    /// The authority, known once its listener is bound.
    pub(crate) authority: OnceLock<String>,
}

impl Shared {
    pub(crate) fn new(options: EmulatorOptions, runtime: Handle, temp_dir: PathBuf) -> Result<Self, Error> {
        let directory = Directory::new();
        Ok(Self {
            tokens: TokenFactory::new(options.token_lifetime, options.backdate)?,
            cache: Cache::new(directory.oids()),
            held_tokens: HeldTokens::default(),
            faults: FaultState::default(),
            journal: Journal::default(),
            nodes: Nodes::new(),
            app_service_secret: crate::identity::secret(),
            hosts: Hosts::new(&temp_dir),
            authority: OnceLock::new(),
            options,
            runtime,
            directory,
            temp_dir,
        })
    }

    pub(crate) fn authority(&self) -> &str {
        self.authority.get().map_or("", String::as_str)
    }
}
