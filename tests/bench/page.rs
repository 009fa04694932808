//! What was measured, as tables; and the page of the documentation that holds them.

use std::{fmt, fs, time::Duration};

const PAGE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/performance.md");
const BEGIN: &str = "<!-- measured: from here on written by `cargo bench --bench speed` -->\n";
const END: &str = "<!-- measured: to here -->\n";

pub struct Table {
    pub title: &'static str,
    pub columns: &'static [&'static str],
    pub rows: Vec<Vec<String>>,
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "### {}\n", self.title)?;
        writeln!(f, "| {} |", self.columns.join(" | "))?;
        writeln!(f, "| --- |{}", " ---: |".repeat(self.columns.len() - 1))?;
        self.rows.iter().try_for_each(|row| writeln!(f, "| {} |", row.join(" | ")))
    }
}

/// Puts the tables in the place of those of the last run.
pub fn write(tables: &[Table]) {
    let page = fs::read_to_string(PAGE).unwrap_or_else(|error| panic!("{PAGE}: {error}"));
    let (before, rest) = page.split_once(BEGIN).expect("the page says where the numbers go");
    let (_, after) = rest.split_once(END).expect("the page says where the numbers end");
    let tables: Vec<String> = tables.iter().map(Table::to_string).collect();
    let page = format!("{before}{BEGIN}\n{}\n\n{}\n{END}{after}", machine(), tables.join("\n"));
    fs::write(PAGE, page).unwrap();
    println!("written to docs/performance.md");
}

fn machine() -> String {
    let first = |file: &str, key: &str| {
        let text = fs::read_to_string(file).unwrap_or_default();
        let line = text.lines().find(|line| line.starts_with(key)).map(str::to_owned);
        line.and_then(|line| line.split_once(':').map(|(_, value)| value.trim().to_owned())).unwrap_or_default()
    };
    let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let kernel = kernel.split('-').next().unwrap_or_default().trim().to_owned();
    format!(
        "Measured on {}: {} cores of {}, Linux {kernel}.",
        jiff::Timestamp::now().to_string().split('T').next().unwrap_or_default(),
        std::thread::available_parallelism().map_or(0, usize::from),
        first("/proc/cpuinfo", "model name"),
    )
}

/// Microseconds, or milliseconds where they are many.
pub fn time(duration: Duration) -> String {
    let us = duration.as_secs_f64() * 1e6;
    if us < 10_000.0 { format!("{us:.0} µs") } else { format!("{:.1} ms", us / 1e3) }
}

pub fn times(ratio: f64) -> String {
    format!("{ratio:.2}")
}
