//! Many files in one host call.

use super::{
    ANSWER, BATCH, Work,
    path::GuestPath,
    read::{open_file, read_at},
};
use crate::bindings::reader::{BatchItem, Error};

impl Work {
    pub(super) fn read_batch(&self, paths: &[String], per_file: u32, budget: u32) -> Result<Vec<BatchItem>, Error> {
        if paths.len() > BATCH || budget > ANSWER {
            return Err(Error::TooLarge);
        }
        let per_file = u64::from(per_file.min(ANSWER));
        let mut left = u64::from(if budget == 0 { ANSWER } else { budget });
        // The first file is served whatever the budget, so that a guest that asks again with what was left gets on.
        let mut served = false;
        let mut items = Vec::with_capacity(paths.len());
        for path in paths {
            self.look()?;
            let opened = GuestPath::parse(path).and_then(|path| open_file(&self.root, path.as_str()));
            let (file, size) = match opened {
                Ok(opened) => opened,
                Err(error) => {
                    items.push(BatchItem::Failed(error));
                    continue;
                }
            };
            let wanted = size.min(per_file);
            if served && wanted > left {
                break;
            }
            match read_at(&file, 0, usize::try_from(wanted).unwrap_or(0)) {
                Ok(bytes) => {
                    served = true;
                    left = left.saturating_sub(bytes.len() as u64);
                    items.push(BatchItem::Bytes(bytes));
                }
                Err(error) => items.push(BatchItem::Failed(error)),
            }
        }
        items.resize_with(paths.len(), || BatchItem::Left);
        Ok(items)
    }
}
