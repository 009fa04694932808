//! Which repository a call is about, and the ids by which the audit log knows what it touched.

use std::fmt;

/// A repository of the API that a call goes to.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Repo {
    pub(crate) owner: String,
    pub(crate) name: String,
}

impl Repo {
    /// `acme/web#12`: an issue or a pull request.
    pub(crate) fn issue(&self, number: u64) -> String {
        format!("{self}#{number}")
    }

    /// Whether an address of the API is this repository's: `https://api.github.com/repos/acme/web`. GitHub's names know no case.
    pub(crate) fn is_at(&self, address: &str) -> bool {
        let end = format!("/repos/{self}");
        address
            .len()
            .checked_sub(end.len())
            .and_then(|at| address.get(at..))
            .is_some_and(|last| last.eq_ignore_ascii_case(&end))
    }
}

impl fmt::Display for Repo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.owner, self.name)
    }
}

/// Arguments of a tool: which repository, and more. All of them are strict, so that a name that was misspelt is told.
macro_rules! arguments {
    ($(#[$about:meta])* paged $name:ident { $($(#[$of_field:meta])* $field:ident: $kind:ty,)* }) => {
        $crate::repo::arguments! {
            $(#[$about])* $name {
                $($(#[$of_field])* $field: $kind,)*
                /// Which page of the list; the first is 1. `next_page` of an answer tells the one behind it.
                #[serde(default)]
                #[schemars(range(min = 1))]
                page: Option<u32>,
                /// How many on a page: 30 by default, 100 at most.
                #[serde(default)]
                #[schemars(range(min = 1, max = 100))]
                per_page: Option<u32>,
            }
        }

        impl $name {
            fn page(&self) -> $crate::paging::Page {
                $crate::paging::Page { number: self.page, size: self.per_page }
            }
        }
    };
    ($(#[$about:meta])* $name:ident { $($(#[$of_field:meta])* $field:ident: $kind:ty,)* }) => {
        $(#[$about])*
        #[derive(serde::Deserialize, schemars::JsonSchema)]
        #[serde(deny_unknown_fields)]
        pub(crate) struct $name {
            /// Who owns the repository, as in `acme`.
            #[schemars(length(min = 1, max = 100), regex(pattern = "^[A-Za-z0-9_.-]+$"))]
            owner: String,
            /// The repository's name, as in `web`.
            #[schemars(length(min = 1, max = 100), regex(pattern = "^[A-Za-z0-9_.-]+$"))]
            repo: String,
            $($(#[$of_field])* $field: $kind,)*
            /// Another server that speaks GitHub's API, as in `github.example.com/api/v3`; `api.github.com` by default. Only what the administrator granted.
            #[serde(default)]
            #[schemars(length(min = 1, max = 200))]
            api: Option<String>,
        }

        impl $name {
            fn repository(&self) -> $crate::repo::Repo {
                $crate::repo::Repo { owner: self.owner.clone(), name: self.repo.clone() }
            }
        }
    };
}

pub(crate) use arguments;
