//! The table at the end, and whether the run was a good one.

use comfy_table::presets::UTF8_FULL_CONDENSED;
use comfy_table::{CellAlignment, Table};
use hdrhistogram::Histogram;
use keyless::Stats;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::Relaxed;

/// What is counted while the sample runs.
#[derive(Default)]
pub(crate) struct Counts {
    pub(crate) commands: AtomicU64,
    pub(crate) failures: AtomicU64,
    /// Tokens acquired, the first one included.
    pub(crate) tokens: AtomicU64,
    pub(crate) refresh_failures: AtomicU64,
}

/// A finished run.
pub(crate) struct Summary<'a> {
    pub(crate) counts: &'a Counts,
    pub(crate) stats: Stats,
    /// In microseconds.
    pub(crate) latency: Histogram<u64>,
}

impl Summary<'_> {
    /// How often a token gave way to a new one.
    fn refreshes(&self) -> u64 {
        self.counts.tokens.load(Relaxed).saturating_sub(1)
    }

    pub(crate) fn table(&self) -> Table {
        let mut table = Table::new();
        table.load_preset(UTF8_FULL_CONDENSED);
        let quantile = |quantile| {
            // Whole microseconds below a minute: exact in a float.
            let microseconds = u32::try_from(self.latency.value_at_quantile(quantile)).unwrap_or(u32::MAX);
            format!("{:.2} ms", f64::from(microseconds) / 1000.0)
        };
        table.add_rows([
            ["commands".to_owned(), self.counts.commands.load(Relaxed).to_string()],
            ["failures".to_owned(), self.counts.failures.load(Relaxed).to_string()],
            ["tokens replaced".to_owned(), self.refreshes().to_string()],
            ["token refresh failures".to_owned(), self.counts.refresh_failures.load(Relaxed).to_string()],
            ["re-authentications".to_owned(), self.stats.reauthentications.to_string()],
            ["re-authentication failures".to_owned(), self.stats.reauthentication_failures.to_string()],
            ["reconnects".to_owned(), self.stats.reconnects.to_string()],
            ["latency p50".to_owned(), quantile(0.5)],
            ["latency p99".to_owned(), quantile(0.99)],
        ]);
        if let Some(column) = table.column_mut(1) {
            column.set_cell_alignment(CellAlignment::Right);
        }
        table
    }

    /// Fails with the reason when a command failed, or when no token was replaced although one should have been.
    pub(crate) fn verdict(&self, expect_refresh: bool) -> Result<(), &'static str> {
        if self.counts.failures.load(Relaxed) > 0 {
            Err("commands failed.")
        } else if self.counts.commands.load(Relaxed) == 0 {
            Err("no command was sent.")
        } else if expect_refresh && (self.refreshes() == 0 || self.stats.reauthentications == 0) {
            Err("no token was replaced on the live connection; run for longer than a token lives.")
        } else {
            Ok(())
        }
    }
}
