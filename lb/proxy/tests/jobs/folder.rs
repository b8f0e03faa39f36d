//! The folder of objects.

use std::future::{Ready, ready};
use std::sync::Arc;

use weighbridge_proxy::jobs::folder::Folder;

use crate::job_objects as contract;

fn fresh() -> Ready<(tempfile::TempDir, contract::Store)> {
    let folder = tempfile::tempdir().unwrap();
    let objects = Folder::open(&folder.path().join("objects")).unwrap();
    ready((folder, Arc::new(objects)))
}

contract::contract!(fresh);
