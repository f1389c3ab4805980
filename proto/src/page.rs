//! Lists in pages. A page is read with one item more than was asked for, which tells whether there is another one; its
//! token is the key of its last item.

use std::{fmt::Display, str::FromStr};

use crate::Fields;

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
}

impl<T, K: Display> Listed<T, K> {
    /// What asks for the next page; empty on the last.
    #[must_use]
    pub fn next_page_token(&self) -> String {
        self.next.as_ref().map_or_else(String::new, K::to_string)
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
}
