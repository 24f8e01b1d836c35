//! Log lines, each of which stays one line whatever the values in it hold.

use std::{
    borrow::Cow,
    fmt::Write as _,
    io::{self, IsTerminal as _, Write},
};

use tracing_subscriber::{
    EnvFilter,
    fmt::{MakeWriter, SubscriberBuilder},
};

/// Logs to standard error: text on a terminal, JSON lines otherwise. `STINT_LOG` sets the level, `info` by default.
pub fn init() {
    let builder = plain().with_env_filter(filter("info")).with_writer(Clean);
    // Fails only where a subscriber is set already.
    let _ = if io::stderr().is_terminal() { builder.try_init() } else { builder.json().try_init() };
}

/// Logs errors only, for commands whose output is the story.
pub fn quiet() {
    let _ = plain().with_env_filter(filter("error")).with_writer(Clean).try_init();
}

fn filter(default: &str) -> EnvFilter {
    EnvFilter::try_from_env("STINT_LOG").unwrap_or_else(|_| EnvFilter::new(default))
}

/// Without colours: the formatter lets ESC in values pass, so it could not be told from its own.
fn plain() -> SubscriberBuilder {
    tracing_subscriber::fmt().with_ansi(false)
}

/// Standard error, with characters escaped that could rewrite a line before a reader's eyes, or begin one of their own.
struct Clean;

impl<'a> MakeWriter<'a> for Clean {
    type Writer = CleanLine;

    fn make_writer(&'a self) -> CleanLine {
        CleanLine
    }
}

struct CleanLine;

impl Write for CleanLine {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        io::stderr().write_all(line(&String::from_utf8_lossy(bytes)).as_bytes())?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        io::stderr().flush()
    }
}

/// One whole event as the formatter wrote it; only the last line end is the formatter's own.
fn line(event: &str) -> String {
    let (event, end) = event.strip_suffix('\n').map_or((event, ""), |event| (event, "\n"));
    clean(event).into_owned() + end
}

/// The text with control characters, and those that turn or hide what follows, written as `\u202e`. JSON reads that as
/// the same character again.
#[must_use]
pub fn clean(text: &str) -> Cow<'_, str> {
    if !text.contains(misleads) {
        return Cow::Borrowed(text);
    }
    let mut cleaned = String::with_capacity(text.len());
    for c in text.chars() {
        if misleads(c) {
            for unit in c.encode_utf16(&mut [0; 2]) {
                // Writing into a string does not fail.
                let _ = write!(cleaned, "\\u{unit:04x}");
            }
        } else {
            cleaned.push(c);
        }
    }
    Cow::Owned(cleaned)
}

/// Whether it is a control character, or turns or hides what follows.
#[must_use]
pub fn misleads(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use super::*;

    /// What a subscriber of this kind writes for one hostile event.
    #[derive(Clone, Default)]
    struct Kept(Arc<Mutex<String>>);

    impl Write for Kept {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let mut kept = self.0.lock().expect("not poisoned");
            kept.push_str(&line(std::str::from_utf8(bytes).expect("text")));
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    const HOSTILE: &str = "a\nb\r\tc\u{1b}[2Kd\u{9b}2Ke\u{202e}f\u{e0041}g\"";

    fn written(make: impl FnOnce(Kept) -> tracing::Dispatch) -> String {
        let kept = Kept::default();
        tracing::dispatcher::with_default(
            &make(kept.clone()),
            || tracing::error!(value = %HOSTILE, other = ?HOSTILE, "{HOSTILE}"),
        );
        let text = kept.0.lock().expect("not poisoned").clone();
        assert_eq!(text.matches('\n').count(), 1, "{text:?}");
        assert!(text.ends_with('\n') && !text.trim_end().contains(misleads), "{text:?}");
        text
    }

    #[test]
    fn a_hostile_value_stays_on_its_line_of_text() {
        written(|kept| plain().with_writer(move || kept.clone()).finish().into());
    }

    #[test]
    fn a_hostile_value_stays_a_value_of_json() {
        let text = written(|kept| plain().json().with_writer(move || kept.clone()).finish().into());
        let event: serde_json::Value = serde_json::from_str(&text).expect("one JSON line");
        assert_eq!(event["fields"]["value"], HOSTILE);
        assert_eq!(event["fields"]["message"], HOSTILE);
    }

    #[test]
    fn harmless_text_is_left_as_it_is() {
        assert!(matches!(clean("Grüße, 日本 — 👩‍💻".split('\u{200d}').next().expect("text")), Cow::Borrowed(_)));
        assert_eq!(clean("a\u{202e}b"), "a\\u202eb");
    }
}
