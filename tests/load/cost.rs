//! What processes have cost so far: processor time and memory, as Linux tells it.
//!
//! Never asks the processes themselves: peers are measured alike.

use std::fs;

use anyhow::{Context as _, Result};

/// Nanoseconds of processor time, user and system, of all threads that live.
pub(crate) fn processor(pids: &[u32]) -> Result<f64> {
    let mut sum = 0.0;
    for pid in pids {
        let tasks = fs::read_dir(format!("/proc/{pid}/task"));
        for task in tasks.with_context(|| format!("process {pid} is gone"))? {
            let path = task?.path().join("schedstat");
            let Ok(text) = fs::read_to_string(path) else {
                // A thread that has just ended.
                continue;
            };
            let ran = text.split_whitespace().next();
            sum += ran.and_then(|ran| ran.parse::<f64>().ok()).unwrap_or(0.0);
        }
    }
    Ok(sum)
}

/// KiB that belong to the processes alone: neither files nor what is shared.
pub(crate) fn anonymous(pids: &[u32]) -> Result<f64> {
    let mut sum = 0.0;
    for pid in pids {
        let text = fs::read_to_string(format!("/proc/{pid}/status"));
        let text = text.with_context(|| format!("process {pid} is gone"))?;
        let line = text.lines().find_map(|line| line.strip_prefix("RssAnon:"));
        let kib = line.and_then(|line| line.split_whitespace().next()?.parse::<f64>().ok());
        sum += kib.context("the system does not tell RssAnon")?;
    }
    Ok(sum)
}
