//! The world outside as the operator's file describes it, and what it was made from: a reload that changes nothing of that keeps connections
//! and tokens.

use std::sync::Arc;

use rustls::pki_types::{CertificateDer, pem::PemObject as _};
use wardkeep_policy::{Fault, Faults};
use wardkeep_sandbox::{Outside, OutsideOptions};

use crate::{
    config::{Config, Egress, Sources},
    home::{self, cap, check_parent, read_file},
    screen::{Told as _, chain},
};

use super::candidate::fault;

/// What requests and secrets stand on.
#[derive(Clone)]
pub(crate) struct World {
    pub(crate) outside: Outside,
    made_from: (Egress, Sources, Vec<CertificateDer<'static>>),
}

impl World {
    /// Made anew. What is wrong with a part is told, and takes that part away.
    pub(super) fn new(config: &Config, faults: &mut Faults) -> Self {
        let authorities = authorities(config, faults);
        if let Some(directory) = &config.sources.file
            && let Err(error) = check_parent(directory)
        {
            let key = "sources.file.directory";
            faults.push(fault(home::CONFIG, &error).at(config.lines.of_key(key), key));
        }
        let Egress { private, name_servers, cleartext_to_loopback, .. } = &config.egress;
        let options = OutsideOptions {
            authorities: authorities.clone(),
            private: private.clone(),
            name_servers: name_servers.clone(),
            cleartext_to_loopback: *cleartext_to_loopback,
            sources: Arc::new(config.sources.clone()),
        };
        let outside = Outside::new(options).unwrap_or_else(|error| {
            let message = format!("{}; until it is mended nothing outside is reached", chain(&error));
            faults.push(Fault::of(home::CONFIG, message).at(config.lines.of_key("egress"), "egress"));
            Outside::closed()
        });
        Self { outside, made_from: (config.egress.clone(), config.sources.clone(), authorities) }
    }

    /// The one that there was before, if this one would be the same.
    pub(super) fn or(self, before: &Self) -> Self {
        if self.is(before) { before.clone() } else { self }
    }

    /// Whether the two are made from the same.
    pub(super) fn is(&self, other: &Self) -> bool {
        self.made_from == other.made_from
    }
}

fn authorities(config: &Config, faults: &mut Faults) -> Vec<CertificateDer<'static>> {
    let Some(path) = &config.egress.ca else { return Vec::new() };
    let at = |fault: Fault| fault.at(config.lines.of_key("egress.ca"), "egress.ca");
    let bytes = match read_file(path, cap::DOCUMENT) {
        Ok(bytes) => bytes,
        Err(error) => {
            faults.push(at(fault(home::CONFIG, &error)));
            return Vec::new();
        }
    };
    match CertificateDer::pem_slice_iter(&bytes).collect::<Result<Vec<_>, _>>() {
        Ok(authorities) if !authorities.is_empty() => authorities,
        _ => {
            let message = format!("`{}` holds no certificates in PEM", path.told());
            faults.push(at(
                Fault::of(home::CONFIG, message).mend("a file with `-----BEGIN CERTIFICATE-----`, one or more")
            ));
            Vec::new()
        }
    }
}
