//! What is printed: progress on standard error, one line for each thing measured on standard output.

use std::process::ExitCode;

/// Progress, for whoever waits.
pub fn say(text: &str) {
    eprintln!("    {text}");
}

/// Lines and verdicts.
pub struct Report {
    judged: bool,
    missed: u32,
}

/// What a figure must keep to.
#[derive(Clone, Copy, Debug)]
pub enum Must {
    /// No more than this.
    AtMost(f64),
    /// No less than this.
    AtLeast(f64),
}

impl Report {
    /// An empty one; ratios of times are judged or only shown.
    pub fn new(judged: bool) -> Self {
        Self { judged, missed: 0 }
    }

    /// A line that is only shown.
    #[expect(clippy::unused_self, reason = "every line goes by the report")]
    pub fn show(&self, text: &str) {
        println!("{text}");
    }

    /// A ratio of times, or of what is done in a time.
    pub fn ratio(&mut self, what: &str, ratio: f64, must: Must) {
        let judged = self.judged;
        self.line(what, ratio, must, judged);
    }

    /// A figure that is judged at any size.
    pub fn figure(&mut self, what: &str, figure: f64, must: Must) {
        self.line(what, figure, must, true);
    }

    fn line(&mut self, what: &str, figure: f64, must: Must, judged: bool) {
        let (holds, bound) = match must {
            Must::AtMost(limit) => (figure <= limit, format!("at most {limit}")),
            Must::AtLeast(limit) => (figure >= limit, format!("at least {limit}")),
        };
        let verdict = match (judged, holds) {
            (false, _) => "shown only",
            (true, true) => "pass",
            (true, false) => "MISS",
        };
        self.missed += u32::from(judged && !holds);
        println!("{what:<74} {figure:>7.2}  {bound:<13} {verdict}");
    }

    /// The last line.
    pub fn conclude(self) -> ExitCode {
        if self.missed == 0 {
            println!("every line holds");
            return ExitCode::SUCCESS;
        }
        println!("{} missed", self.missed);
        ExitCode::FAILURE
    }
}

/// Sorted samples of a time, in microseconds.
#[derive(Clone, Debug, Default)]
pub struct Times(Vec<f64>);

impl Times {
    /// Of these.
    pub fn of(mut micros: Vec<f64>) -> Self {
        micros.sort_by(f64::total_cmp);
        Self(micros)
    }

    /// The time that this part of all samples keeps to.
    pub fn quantile(&self, part: f64) -> f64 {
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            clippy::cast_precision_loss,
            reason = "a place among a few thousand samples"
        )]
        let place = ((self.0.len() as f64 * part) as usize).min(self.0.len().saturating_sub(1));
        self.0.get(place).copied().unwrap_or(f64::NAN)
    }

    /// p50 and p99, in words.
    pub fn in_words(&self) -> String {
        format!("{:>6.2} /{:>6.2} ms", self.quantile(0.5) / 1000.0, self.quantile(0.99) / 1000.0)
    }
}
