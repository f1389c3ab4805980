//! Looking for a text inside another one, the same on both engines.

use sea_orm::sea_query::LikeExpr;

/// The pattern of all texts that hold this one as it stands: what `LIKE` gives a meaning to has none in it.
#[must_use]
pub fn containing(text: &str) -> LikeExpr {
    let mut pattern = String::from("%");
    for character in text.chars() {
        if matches!(character, '%' | '_' | '\\') {
            pattern.push('\\');
        }
        pattern.push(character);
    }
    pattern.push('%');
    LikeExpr::new(pattern).escape('\\')
}
