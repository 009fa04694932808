//! Lists that come in pages (GitHub's REST API, "Using pagination"): `page` and `per_page` go out, and the header `link` tells what is next.

use wardkeep_sdk::http::{Request, Response};

/// Which part of a list.
#[derive(Clone, Copy)]
pub(crate) struct Page {
    pub(crate) number: Option<u32>,
    pub(crate) size: Option<u32>,
}

impl Page {
    /// Asks for it.
    pub(crate) fn of<'s>(self, request: Request<'s>) -> Request<'s> {
        request.query("per_page", self.size.unwrap_or(30).clamp(1, 100)).query("page", self.number.unwrap_or(1).max(1))
    }
}

/// The number of the next page, if there is one (RFC 8288).
pub(crate) fn next(response: &Response) -> Option<u32> {
    next_of(response.header("link")?)
}

fn next_of(link: &str) -> Option<u32> {
    let next = link.split(',').find(|link| {
        link.split(';').skip(1).any(|parameter| matches!(parameter.trim(), "rel=\"next\"" | "rel=next"))
    })?;
    let address = next.trim().strip_prefix('<')?.split_once('>')?.0;
    let query = address.split_once('?')?.1;
    query.split('&').find_map(|pair| pair.strip_prefix("page="))?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::next_of;

    #[test]
    fn the_next_page_is_told_by_the_link_header() {
        let link = "<https://api.github.com/repositories/1/issues?per_page=30&page=1>; rel=\"prev\", \
                    <https://api.github.com/repositories/1/issues?per_page=30&page=3>; rel=\"next\", \
                    <https://api.github.com/repositories/1/issues?page=9>; rel=\"last\"";
        assert_eq!(next_of(link), Some(3));
        for none in [
            "",
            "<https://x/?page=2>; rel=\"prev\"",
            "<https://x/?per_page=2>; rel=\"next\"",
            "https://x/?page=2; rel=next",
            "<x?page=-1>; rel=next",
        ] {
            assert_eq!(next_of(none), None, "{none}");
        }
    }
}
