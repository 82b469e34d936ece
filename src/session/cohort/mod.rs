//! The folder that `mindgap batch` and `mindgap report` leave of many scans: what is kept of each case, and the cohort as
//! a table.
//!
//! Invariant: reading a folder never changes it, and one case that cannot be read never hides the others.

mod open;
mod record;
mod scans;
mod table;

pub use open::{CaseError, CaseFiles, find_case};
pub use record::{CASE_FILE, CaseRecord, CaseScan, RecordError, StructureRecord, structures_of};
pub use scans::{SCAN_ENDINGS, ScanIndex, scans_in};
pub use table::{Case, CaseState, Cohort, CohortError, PARTIAL, is_cohort};
