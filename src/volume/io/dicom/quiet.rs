//! Other people's decoders, kept from taking the program down or talking on its error output.

use std::cell::Cell;
use std::panic::{self, AssertUnwindSafe};
use std::sync::Once;

thread_local! {
    /// Whether a panic of this thread is expected, and will be reported by whoever caught it.
    static EXPECTED: Cell<bool> = const { Cell::new(false) };
}

/// Runs `work` and turns a panic into its message, without a trace on standard error.
pub(super) fn catch<T>(work: impl FnOnce() -> T) -> Result<T, String> {
    static SILENCER: Once = Once::new();
    SILENCER.call_once(|| {
        let report = panic::take_hook();
        panic::set_hook(Box::new(move |panic| {
            if !EXPECTED.get() {
                report(panic);
            }
        }));
    });
    EXPECTED.set(true);
    let result = panic::catch_unwind(AssertUnwindSafe(work));
    EXPECTED.set(false);
    result.map_err(|payload| {
        let text = payload.downcast_ref::<&str>().map(|text| (*text).to_owned());
        let text = text.or_else(|| payload.downcast_ref::<String>().cloned());
        format!("the decoder gave up: {}", text.unwrap_or_else(|| "no reason given".to_owned()))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_decoder_that_panics_leaves_an_error_and_a_running_program() {
        assert_eq!(catch(|| 7), Ok(7));
        let caught = catch(|| -> u8 { panic!("index {} is out of bounds", 3) });
        assert_eq!(caught, Err("the decoder gave up: index 3 is out of bounds".to_owned()));
        assert!(!EXPECTED.get());
    }
}
