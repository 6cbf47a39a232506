//! How the story is told: a numbered line per step, with its time, and a bar or a spinner while it lasts.

use std::time::Instant;

use indicatif::ProgressBar;

use crate::print::Printer;

/// Prints steps.
pub(super) struct Teller {
    printer: Printer,
    number: usize,
    start: Instant,
}

/// One step on its way.
pub(super) struct Step<'a> {
    teller: &'a Teller,
    start: Instant,
    bar: ProgressBar,
}

impl Teller {
    pub(super) fn new(printer: Printer) -> Self {
        Self {
            printer,
            number: 0,
            start: Instant::now(),
        }
    }

    /// Begins a step.
    pub(super) fn step(&mut self, what: &str) -> Step<'_> {
        self.number += 1;
        self.printer.note(format!("\n{}  {what}", self.number));
        Step {
            teller: self,
            start: Instant::now(),
            bar: self.printer.spinner(),
        }
    }

    /// Seconds since the story began.
    pub(super) fn seconds(&self) -> f64 {
        self.start.elapsed().as_secs_f64()
    }
}

impl Step<'_> {
    /// What goes on now.
    pub(super) fn doing(&self, what: impl Into<String>) {
        self.bar.set_message(what.into());
    }

    /// A fact, which stays on the screen.
    pub(super) fn fact(&self, what: impl AsRef<str>) {
        self.bar
            .suspend(|| self.teller.printer.note(format!("   {}", what.as_ref())));
    }

    /// Ends the step with its time.
    pub(super) fn done(self) {
        let seconds = self.start.elapsed().as_secs_f64();
        self.bar.finish_and_clear();
        self.teller.printer.note(format!("   ✓ {seconds:.2} s"));
    }
}
