//! The emulators themselves.

use crate::emulators::Emulator;

#[test]
fn each_emulator_starts_and_ends() {
    let roto = Emulator::roto(None);
    let between = Emulator::microburst(&roto);
    assert_ne!(roto.url(), between.url());
    let moto = Emulator::moto();
    let ministack = Emulator::ministack();
    assert_ne!(moto.address(), ministack.address());
    let address = roto.kill();
    std::net::TcpStream::connect(address).expect_err("it has ended");
}
