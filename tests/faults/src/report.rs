//! What a fault came to, and the table of all of them.

use comfy_table::presets::UTF8_FULL_CONDENSED;
use comfy_table::{CellAlignment, Table};
use std::time::Duration;

/// The figures of one fault.
#[derive(Clone, Debug, Default)]
pub struct Row {
    /// How often it was injected.
    pub injected: u64,
    /// Commands that were sent meanwhile, or messages that were published.
    pub commands: u64,
    /// Of these, how many ended in an error that says that they may have been executed.
    pub unknown: u64,
    /// Acknowledged, and missing in the end.
    pub lost: u64,
    /// Said not to have been executed, and there in the end.
    pub denied: u64,
    /// Executed more than once.
    pub twice: u64,
    /// The longest time in which no command was acknowledged.
    pub stall: Duration,
    /// What else there is to say.
    pub remark: String,
}

impl Row {
    /// Why the fault was not survived; `None` if it was.
    pub fn failure(&self) -> Option<String> {
        (self.lost + self.denied + self.twice > 0).then(|| {
            format!(
                "{} acknowledged and missing, {} said not to be executed but present, {} executed twice",
                self.lost, self.denied, self.twice
            )
        })
    }

    /// The row with a remark.
    pub fn remark(mut self, remark: impl Into<String>) -> Self {
        self.remark = remark.into();
        self
    }
}

/// The table of all faults.
pub fn table(rows: &[(&str, Row)]) -> Table {
    let mut table = Table::new();
    table.load_preset(UTF8_FULL_CONDENSED);
    table.set_header([
        "fault",
        "times",
        "commands",
        "unknown",
        "lost",
        "denied but done",
        "done twice",
        "longest stall",
        "",
    ]);
    for (name, row) in rows {
        table.add_row([
            name.replace('_', " "),
            row.injected.to_string(),
            row.commands.to_string(),
            row.unknown.to_string(),
            row.lost.to_string(),
            row.denied.to_string(),
            row.twice.to_string(),
            format!("{:.2} s", row.stall.as_secs_f64()),
            row.remark.clone(),
        ]);
    }
    for column in table.column_iter_mut().skip(1).take(7) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    table
}
