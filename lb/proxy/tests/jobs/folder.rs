//! The folder of objects.

use std::sync::Arc;

use weighbridge_proxy::jobs::folder::Folder;

use crate::job_objects as contract;

/// Runs each function of the contract on an empty folder.
macro_rules! contract {
    ($($name:ident),* $(,)?) => {$(
        #[tokio::test]
        async fn $name() {
            let folder = tempfile::tempdir().unwrap();
            contract::$name(Arc::new(Folder::open(&folder.path().join("objects")).unwrap())).await;
        }
    )*};
}

contract!(
    what_was_written_is_read,
    what_is_there_is_never_changed,
    what_is_not_finished_is_not_there,
    what_is_deleted_is_gone,
    a_list_comes_in_the_order_of_keys_and_in_parts,
    a_key_is_no_path,
);
