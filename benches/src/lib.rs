//! Performance, with peers beside: see `README.md` for the table and how to repeat it. The benches are in `benches/`.

use std::time::Duration;

/// The value below which `share` of them lie, in milliseconds.
pub fn quantile(times: impl IntoIterator<Item = Duration>, share: f64) -> f64 {
    let mut sorted: Vec<f64> = times
        .into_iter()
        .map(|time| time.as_secs_f64() * 1e3)
        .collect();
    sorted.sort_by(f64::total_cmp);
    let rank = ((sorted.len() as f64 * share).ceil() as usize).clamp(1, sorted.len());
    sorted[rank - 1]
}

/// How busy the machine is: whoever reads a figure wants to know.
pub fn load() -> String {
    std::fs::read_to_string("/proc/loadavg")
        .map_or_else(|_| "unknown".to_owned(), |text| text.trim().to_owned())
}
