//! What a refused call says.

use std::fmt::Debug;

use tonic::{Code, Status};
use tonic_types::StatusExt;

/// The code and the stable reason of a refusal.
///
/// # Panics
/// If the call was not refused, or the refusal has no reason.
pub fn refusal<T: Debug>(answer: Result<T, Status>) -> (Code, String) {
    let status = answer.expect_err("a refusal");
    let info = status.get_details_error_info();
    let info = info.unwrap_or_else(|| panic!("no reason in {status:?}"));
    (status.code(), info.reason)
}

/// The fields of a bad request that are told, with their reasons, such as `amount.minor_units OUT_OF_RANGE`.
///
/// # Panics
/// If the call was not refused for its fields.
pub fn violations<T: Debug>(answer: Result<T, Status>) -> Vec<String> {
    let status = answer.expect_err("a refusal");
    assert_eq!(status.code(), Code::InvalidArgument, "{status:?}");
    let told = status
        .get_details_bad_request()
        .expect("field violations")
        .field_violations;
    let reason = |description: &str| description.split(':').next().unwrap_or_default().to_owned();
    told.iter()
        .map(|told| format!("{} {}", told.field, reason(&told.description)))
        .collect()
}
