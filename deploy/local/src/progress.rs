//! What the terminal shows: one line a piece of work, a verb, what it was, how long it took.

use std::fmt::Arguments;
use std::io::{IsTerminal, Write};
use std::time::{Duration, Instant};

/// A piece of work that has begun. While it lasts a terminal shows it; when it is done its line stays.
#[must_use = "a step ends with `done` or `fail`"]
pub struct Step {
    began: Instant,
    shown: bool,
    settled: bool,
}

impl Step {
    /// Begins a step. `verb` is what happens now ("Starting"), `what` is its object ("Postgres").
    pub fn begin(verb: &str, what: &str) -> Step {
        let shown = std::io::stderr().is_terminal();
        if shown {
            show(format_args!("{} {what}…", paint(verb, "1;36")));
        }
        Step {
            began: Instant::now(),
            shown,
            settled: false,
        }
    }

    /// Ends the step: "Started Postgres 17.2 in 0.4s". `verb` is in the past tense.
    pub fn done(mut self, verb: &str, what: &str) {
        self.erase();
        show(format_args!(
            "{} {what} in {}\n",
            paint(verb, "1;32"),
            Took(self.began.elapsed())
        ));
    }

    fn erase(&mut self) {
        if self.shown && !self.settled {
            show(format_args!("\r\x1b[2K"));
        }
        self.settled = true;
    }
}

impl Drop for Step {
    /// A step that failed leaves its place to the error.
    fn drop(&mut self) {
        self.erase();
    }
}

/// A line that is no step: "Using PostgreSQL 17 of this machine".
pub fn note(verb: &str, what: &str) {
    show(format_args!("{} {what}\n", paint(verb, "1;32")));
}

/// A line that asks for attention, without being the end.
pub fn warn(what: &str) {
    show(format_args!("{} {what}\n", paint("Warning", "1;33")));
}

/// The one line of a failure. The chain of causes is joined, so that no trace is needed to understand it.
pub fn fail(error: &anyhow::Error) {
    let mut text = String::new();
    for cause in error.chain() {
        let cause = cause.to_string();
        // Some libraries repeat their source in their own text.
        if text.contains(&cause) {
            continue;
        }
        if !text.is_empty() {
            text.push_str(": ");
        }
        text.push_str(&cause);
    }
    let error = if colours() { "\x1b[1;31merror\x1b[0m" } else { "error" };
    show(format_args!("{error}: {text}\n"));
}

fn paint(verb: &str, colour: &str) -> String {
    if colours() {
        format!("\x1b[{colour}m{verb:>12}\x1b[0m")
    } else {
        format!("{verb:>12}")
    }
}

fn colours() -> bool {
    std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
}

/// What somebody may want to copy or to pipe: not progress but the result.
pub fn result(text: &str) {
    // See `show`.
    drop(writeln!(std::io::stdout(), "{text}"));
}

/// A terminal that was closed takes no more lines. The work goes on without it, and above all an orderly stop:
/// `eprintln!` would panic.
fn show(text: Arguments<'_>) {
    let mut terminal = std::io::stderr().lock();
    drop(terminal.write_fmt(text).and_then(|()| terminal.flush()));
}

/// A duration in the words of a progress line: "0.4s", "12s", "3m 05s".
pub struct Took(pub Duration);

impl std::fmt::Display for Took {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let seconds = self.0.as_secs();
        match seconds {
            0..10 => write!(f, "{:.1}s", self.0.as_secs_f64()),
            10..60 => write!(f, "{seconds}s"),
            _ => write!(f, "{}m {:02}s", seconds / 60, seconds % 60),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_short() {
        for (milliseconds, text) in [(40, "0.0s"), (1_449, "1.4s"), (12_900, "12s"), (185_000, "3m 05s")] {
            assert_eq!(Took(Duration::from_millis(milliseconds)).to_string(), text);
        }
    }
}
