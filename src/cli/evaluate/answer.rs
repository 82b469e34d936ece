//! What two folders of label maps come to, as it is printed.

use crate::eval::{Case, Cohort, CohortSummary};
use serde::Serialize;

/// The keys are stable: scripts read them.
#[derive(Debug, Serialize)]
pub(super) struct Answer {
    pub cases: Vec<Case>,
    pub summary: CohortSummary,
    /// Cases that could not be scored.
    pub failures: Vec<Failure>,
    /// One sentence a file without partner.
    pub unpaired: Vec<String>,
}

/// A case that could not be scored, and why.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Failure {
    pub case: String,
    pub error: String,
}

impl Answer {
    pub(super) fn new(cohort: Cohort, failures: Vec<Failure>, unpaired: Vec<String>) -> Self {
        Self { summary: cohort.summary(), cases: cohort.cases, failures, unpaired }
    }

    pub(super) fn to_text(&self) -> String {
        let cohort = Cohort { cases: self.cases.clone() };
        let (scored, failed, unpaired) = (self.cases.len(), self.failures.len(), self.unpaired.len());
        let mut text = format!("{}\n", cohort.to_text());
        text.push_str(&format!(
            "scored: {scored}, not scored: {failed}, files without partner: {unpaired}\n\n"
        ));
        for case in &self.cases {
            for warning in &case.warnings {
                text.push_str(&format!("{}: {warning}\n", case.case));
            }
        }
        for Failure { case, error } in &self.failures {
            text.push_str(&format!("{case}: not scored: {error}\n"));
        }
        for sentence in &self.unpaired {
            text.push_str(&format!("{sentence}\n"));
        }
        text + &format!("\n{}", self.summary)
    }
}
