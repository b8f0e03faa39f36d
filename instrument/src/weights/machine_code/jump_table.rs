//! Where a `match` of many arms leads: the table that its jump goes by.
//!
//! ```text
//! cmp eax, 6                      how many arms
//! ja  otherwise
//! lea rcx, [rip + table]
//! movsxd rax, dword [rcx+rax*4]   an arm's distance from the table
//! add rax, rcx
//! jmp rax
//! ```

use iced_x86::{Instruction, Mnemonic, OpKind, Register};

use super::Body;

/// The most arms that are believed.
const ARMS_MAX: u64 = 1024;

/// How far before the jump its parts are looked for, in instructions.
const REACH: usize = 24;

/// The addresses that `jump` may lead to; none where its table is not understood.
pub(super) fn targets(body: &Body<'_, '_>, jump: &Instruction) -> Vec<usize> {
    if jump.op0_kind() != OpKind::Register {
        return Vec::new();
    }
    let before: Vec<&Instruction> = body.before(jump.ip() as usize).take(REACH).collect();
    let is_load = |instruction: &&&Instruction| instruction.mnemonic() == Mnemonic::Movsxd;
    let load = before.iter().find(is_load).filter(|load| load.memory_index_scale() == 4);
    let Some((load, table)) = load.and_then(|load| Some((load, table(body, load)?))) else {
        return Vec::new();
    };
    let arms = before
        .iter()
        .filter(|instruction| instruction.ip() < load.ip())
        .find_map(|instruction| bound(instruction))
        .unwrap_or(ARMS_MAX);
    let arm = |nth: u64| {
        let distance = body.code.word(table + 4 * nth as usize)?;
        Some(table.wrapping_add_signed(distance as isize))
    };
    let mut targets: Vec<usize> =
        (0..arms).map_while(arm).take_while(|target| body.contains(*target)).collect();
    targets.sort_unstable();
    targets.dedup();
    targets
}

/// The address of the table that `load` reads: what the nearest `lea` put into its base.
fn table(body: &Body<'_, '_>, load: &Instruction) -> Option<usize> {
    let base = load.memory_base();
    let is_it = |instruction: &&Instruction| {
        instruction.mnemonic() == Mnemonic::Lea
            && base != Register::None
            && instruction.op0_register() == base
            && instruction.is_ip_rel_memory_operand()
    };
    let lea = body.before(load.ip() as usize).find(is_it)?;
    Some(lea.ip_rel_memory_address() as usize)
}

/// How many arms a comparison of the number of the arm allows.
fn bound(instruction: &Instruction) -> Option<u64> {
    let compares = instruction.mnemonic() == Mnemonic::Cmp && 1 < instruction.op_count();
    let last = (compares && instruction.op1_kind() != OpKind::Register)
        .then(|| instruction.try_immediate(1).ok())
        .flatten()?;
    // An operand of all ones has no next number.
    last.checked_add(1).filter(|arms| *arms <= ARMS_MAX)
}
