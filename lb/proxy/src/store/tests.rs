use super::*;
use crate::config::StoreHome;

#[test]
fn what_is_in_the_data_folder_can_be_opened_and_nothing_else() {
    for kind in StoreKind::ALL {
        let opens = EMBEDDED.iter().any(|(one, _)| *one == kind);
        assert_eq!(opens, kind.home() == StoreHome::DataFolder, "{}", kind.name());
    }
}
