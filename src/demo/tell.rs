//! Words and colours for the timeline; colours on a terminal only.

use anstream::println;
use jiff::Timestamp;
use owo_colors::OwoColorize as _;
use serde_json::Value;

/// A chapter's heading.
pub(super) fn chapter(title: &str) {
    println!("\n{}", title.bold());
}

/// A line of the story.
pub(super) fn line(text: &str) {
    println!("  {text}");
}

/// A fact that was checked from outside stint.
pub(super) fn proved(text: &str) {
    println!("  {} {text}", "✓".green().bold());
}

/// One entry of a request's timeline.
pub(super) fn entry(entry: &Value) {
    let event = entry["event"].as_str().unwrap_or("?");
    let at = entry["at"].as_str().and_then(|at| at.parse::<Timestamp>().ok());
    let time = at.map_or_else(String::new, |at| at.strftime("%H:%M:%S").to_string());
    let mark = match event {
        "active" | "ended" => "●".green().to_string(),
        "rejected" | "failed" => "●".red().to_string(),
        "held" => "●".yellow().to_string(),
        _ => "○".cyan().to_string(),
    };
    println!("  {} {mark} {:<17} {}", time.dimmed(), event.bold(), words(event, &entry["detail"]));
}

/// What an event means, in a sentence.
fn words(event: &str, detail: &Value) -> String {
    let text = |pointer: &str| detail.pointer(pointer).and_then(Value::as_str).unwrap_or("?").to_owned();
    match event {
        "received" => format!("the webhook about {} is committed", text("/ticket/number")),
        "verifying" => "the ticket is read back from its own system, by its immutable id".into(),
        "approved" => format!(
            "{} may have {} for {} (bound by: {})",
            text("/principal/name"),
            text("/entitlement/title"),
            text("/duration"),
            text("/bound_by")
        ),
        "assigning" => "an attempt is on record before anything is sent".into(),
        "attempt-recorded" => format!("{}, to be sent within 30 s", text("/kind")),
        "attempt-closed" => format!("{}: {} ({})", text("/kind"), text("/outcome"), text("/code")),
        "active" => format!("read back from Graph: in force until {}", text("/ends_at")),
        "withdrawn" => format!("{}; now to end it and prove that it is gone", text("/reason")),
        "expired" => "its time is over; now to prove that it is gone".into(),
        "ended" => "read back from Graph: nothing of it is left".into(),
        "rejected" => reasons(detail),
        "held" => format!("{}: {}", text("/code"), text("/detail")),
        _ => String::new(),
    }
}

fn reasons(detail: &Value) -> String {
    let reason = |r: &Value| format!("{} ({})", r["code"].as_str().unwrap_or("?"), r["detail"].as_str().unwrap_or("?"));
    let reasons = detail["reasons"].as_array().into_iter().flatten().map(reason);
    reasons.collect::<Vec<_>>().join("; ")
}

/// A JSON document, indented.
pub(super) fn document(value: &Value) {
    let text = serde_json::to_string_pretty(value).unwrap_or_default();
    for line in text.lines() {
        println!("    {}", line.dimmed());
    }
}
