//! The cache as Azure's control plane sees it: who may sign in, with which key, and with which rights.

use std::collections::BTreeMap;

use parking_lot::RwLock;

use crate::identity::{guid, secret};

/// What an Azure Managed Redis access policy grants by default.
pub(crate) const FULL_ACCESS: &str = "~* &* +@all";

/// Access to one cache.
pub(crate) struct Cache {
    /// The password of every user of the `redis-server` behind the gateways; no client ever learns it.
    pub(crate) internal_password: String,
    /// The user through which the emulator itself manages the server.
    pub(crate) administrator: String,
    grants: RwLock<BTreeMap<String, String>>,
    access_key: RwLock<Option<String>>,
}

impl Cache {
    pub(crate) fn new(oids: impl IntoIterator<Item = String>) -> Self {
        Self {
            internal_password: secret(),
            administrator: format!("emulator-{}", guid()),
            grants: RwLock::new(oids.into_iter().map(|oid| (oid, FULL_ACCESS.into())).collect()),
            access_key: RwLock::new(Some(secret())),
        }
    }

    pub(crate) fn is_granted(&self, oid: &str) -> bool {
        self.grants.read().contains_key(oid)
    }

    pub(crate) fn grant(&self, oid: &str, rules: &str) {
        self.grants.write().insert(oid.into(), rules.into());
    }

    /// Everybody who has access, with the rules of it.
    pub(crate) fn grants(&self) -> Vec<(String, String)> {
        self.grants.read().iter().map(|(oid, rules)| (oid.clone(), rules.clone())).collect()
    }

    pub(crate) fn revoke(&self, oid: &str) {
        self.grants.write().remove(oid);
    }

    pub(crate) fn access_key(&self) -> Option<String> {
        self.access_key.read().clone()
    }

    /// Sets another access key; `None` disables access keys.
    pub(crate) fn set_access_key(&self, key: Option<String>) {
        *self.access_key.write() = key;
    }

    /// The `user` lines of `redis.conf`.
    pub(crate) fn acl(&self) -> String {
        let password = &self.internal_password;
        let line = |user: &str, rules: &str| format!("user {user} on >{password} {rules}\n");
        let fixed = line("default", FULL_ACCESS) + &line(&self.administrator, FULL_ACCESS);
        self.grants.read().iter().fold(fixed, |lines, (oid, rules)| lines + &line(oid, rules))
    }
}
