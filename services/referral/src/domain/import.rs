//! Referrals that come from elsewhere. Only there can somebody have vouched, over others, for themselves: here only new people
//! are attributed, who have vouched for nobody.

use vouch_primitives::PersonId;

/// The circle that would close if `referrer` vouched for `referee`: each vouched for the next one, and the last one is the
/// first again. Nothing if there would be none.
#[must_use]
pub fn circle(
    referee: PersonId,
    referrer: PersonId,
    referrer_of: impl Fn(PersonId) -> Option<PersonId>,
) -> Option<Vec<PersonId>> {
    let mut back = vec![referee, referrer];
    let mut person = referrer;
    while person != referee {
        person = referrer_of(person)?;
        // A circle that is there already, and that this one would hang on to.
        if back[1..].contains(&person) {
            return None;
        }
        back.push(person);
    }
    back.reverse();
    Some(back)
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;

    #[test]
    fn a_circle_is_named_from_its_beginning_to_its_end() {
        let [a, b, c, d] = [(); 4].map(|()| PersonId::new());
        let mut vouched = HashMap::from([(b, a), (c, b)]);
        let found = |vouched: &HashMap<_, _>, referee, referrer| {
            circle(referee, referrer, |person| vouched.get(&person).copied())
        };
        assert_eq!(
            found(&vouched, a, c),
            Some(vec![a, b, c, a]),
            "a referred b referred c referred a"
        );
        assert_eq!(found(&vouched, a, b), Some(vec![a, b, a]));
        assert_eq!(found(&vouched, a, a), Some(vec![a, a]));
        assert_eq!(found(&vouched, d, c), None, "a chain is none");
        assert_eq!(found(&vouched, a, d), None);
        vouched.insert(a, c);
        assert_eq!(
            found(&vouched, d, c),
            None,
            "one that is there already is no endless walk"
        );
    }
}
