use super::*;

#[test]
fn addresses_are_read_from_the_welcome() {
    let requests = "  requests  http://127.0.0.1:8000";
    assert_eq!(address(requests, "requests").as_deref(), Some("http://127.0.0.1:8000"));
    let admin = "  admin     http://127.0.0.1:9090  (/fleet /models)";
    assert_eq!(address(admin, "admin").as_deref(), Some("http://127.0.0.1:9090"));
    assert_eq!(address(admin, "requests"), None);
    assert_eq!(address("requests go anywhere", "requests"), None);
}
