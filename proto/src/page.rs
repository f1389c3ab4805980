//! Lists in pages. A page is read with one item more than was asked for, which tells whether there is another one; its
//! token is the key of its last item.

use std::{fmt::Display, str::FromStr};

use prost::Message;

use crate::Fields;

/// How much one answer holds of a list, in bytes: with one item more than that it would still be below the 4 MiB that
/// callers of gRPC take.
pub const MOST_BYTES: usize = 3 * 1024 * 1024;
/// The longest that stands before an item in an answer: the number of its field, and its length.
const BEFORE_ITEM: usize = 8;

/// Which part of a list is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Page<K> {
    /// How many items at most.
    pub size: u64,
    /// The key of the last item of the page before; `None` for the first page.
    pub after: Option<K>,
}

/// A part of a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed<T, K> {
    /// The items.
    pub items: Vec<T>,
    /// The key after which the next page begins; `None` on the last.
    pub next: Option<K>,
}

impl<K> Page<K> {
    /// How many items are to be read: one more than asked for.
    #[must_use]
    pub const fn limit(&self) -> u64 {
        self.size + 1
    }

    /// Cuts off the item too many, if it is there.
    pub fn cut<T>(&self, mut items: Vec<T>, key: impl Fn(&T) -> K) -> Listed<T, K> {
        let size = usize::try_from(self.size).unwrap_or(usize::MAX);
        let more = items.len() > size;
        items.truncate(size);
        let next = items.last().filter(|_| more).map(key);
        Listed { items, next }
    }

    /// The page of a list that was read as a whole; none is left after a key that is not in it.
    pub fn of<T>(&self, mut items: Vec<T>, key: impl Fn(&T) -> K) -> Listed<T, K>
    where
        K: PartialEq,
    {
        let before = self.after.as_ref().map_or(0, |after| {
            let at = items.iter().position(|item| key(item) == *after);
            at.map_or(items.len(), |at| at + 1)
        });
        self.cut(items.split_off(before), key)
    }
}

impl<T, K: Display> Listed<T, K> {
    /// What asks for the next page; empty on the last.
    #[must_use]
    pub fn next_page_token(&self) -> String {
        self.next.as_ref().map_or_else(String::new, K::to_string)
    }

    /// The items as messages, and what asks for the next page: as many as [`MOST_BYTES`] hold, but one at least.
    pub fn messages<M: Message>(self, key: impl Fn(&T) -> K, message: impl Fn(T) -> M) -> (Vec<M>, String) {
        let rest = self.next_page_token();
        let (mut messages, mut bytes, mut last) = (Vec::new(), 0, None);
        for item in self.items {
            let key = key(&item);
            let message = message(item);
            bytes += message.encoded_len() + BEFORE_ITEM;
            if let Some(last) = last.as_ref().filter(|_| bytes > MOST_BYTES) {
                return (messages, K::to_string(last));
            }
            messages.push(message);
            last = Some(key);
        }
        (messages, rest)
    }
}

impl Fields {
    /// The `page_size` and the `page_token` of a request.
    pub fn page<K: FromStr>(&mut self, page_size: u32, page_token: &str) -> Option<Page<K>> {
        let size = self.page_size(page_size);
        let after = self.page_token(page_token);
        Some(Page {
            size: size?,
            after: after?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_more_than_asked_for_tells_of_another_page() {
        let mut fields = Fields::new();
        let page: Page<u8> = fields.page(2, "7").expect("a good page");
        assert_eq!((page.limit(), page.after), (3, Some(7)));
        let cut = page.cut(vec![8_u8, 9, 10], |item| *item);
        assert_eq!(
            (cut.items.as_slice(), &*cut.next_page_token()),
            ([8, 9].as_slice(), "9")
        );
        let last = page.cut(vec![10_u8, 11], |item| *item);
        assert_eq!(
            (last.items.as_slice(), &*last.next_page_token()),
            ([10, 11].as_slice(), "")
        );
        assert_eq!(fields.page::<u8>(0, "").map(|page| page.size), Some(25));
        assert_eq!(fields.page::<u8>(101, "x"), None);
        let told = fields.finish(()).expect_err("two mistakes").0;
        assert_eq!(told.len(), 2);
    }

    #[test]
    fn a_page_holds_no_more_bytes_than_an_answer_takes() {
        let listed = |sizes: &[usize], next| Listed {
            items: sizes.iter().copied().enumerate().collect(),
            next,
        };
        let text = |(_, size): (usize, usize)| "x".repeat(size);
        let page = |listed: Listed<(usize, usize), usize>| {
            let (messages, token) = listed.messages(|item| item.0, text);
            (messages.len(), token)
        };
        let half = MOST_BYTES / 2 - 100;
        assert_eq!(page(listed(&[half, half], None)), (2, String::new()));
        assert_eq!(page(listed(&[half, half], Some(7))), (2, "7".to_owned()));
        assert_eq!(page(listed(&[half, half, half], Some(7))), (2, "1".to_owned()));
        assert_eq!(page(listed(&[2 * MOST_BYTES, 1], None)), (1, "0".to_owned()));
        assert_eq!(page(listed(&[], None)), (0, String::new()));
    }

    #[test]
    fn a_list_that_is_there_as_a_whole_is_cut_too() {
        let mut fields = Fields::new();
        let mut page = |token| fields.page::<u8>(2, token).expect("a good page");
        let of = |page: Page<u8>| page.of(vec![5, 3, 9], |item| *item);
        assert_eq!((of(page("")).items, of(page("")).next), (vec![5, 3], Some(3)));
        assert_eq!((of(page("3")).items, of(page("3")).next), (vec![9], None));
        assert_eq!(of(page("9")).items, []);
        assert_eq!(of(page("4")).items, []);
    }
}
