//! What a block is worth, from the machine code of the running program.
//!
//! The table of blocks says where functions and counted blocks begin. From there on the code is
//! followed along its branches and split into blocks; the instructions that count are told from the
//! others by the addresses that they name. [`flow`] does the rest.

mod code;
mod jump_table;

use std::collections::BTreeSet;

use iced_x86::{FlowControl, Instruction, Mnemonic, OpKind, Register};

use super::{INSTRUCTIONS_UNREAD, flow};
use crate::histogram::{self, Block};
use code::Code;
use flow::{FlowBlock, Function};

/// How an instruction counts, so that it is not taken for the program's own.
struct CountingCode {
    guards: std::ops::Range<u64>,
    counts_offset: i64,
}

/// One function's instructions.
struct Body<'a> {
    code: &'a Code,
    begin: usize,
    end: usize,
    instructions: &'a mut Listing,
    leaders: BTreeSet<usize>,
    /// Where each indirect jump leads that was understood.
    tables: Vec<(usize, Vec<usize>)>,
}

/// Every instruction that was read, by its address.
struct Listing {
    begin: usize,
    /// Per byte of the code, 1 + the place of the instruction that begins there. Most of it is never
    /// touched, so most of it takes no memory.
    places: Vec<u32>,
    instructions: Vec<Instruction>,
}

/// Instructions per entry into each of `blocks`; below zero where a block tells that others were
/// left out. Takes about a microsecond per block.
pub(super) fn instructions_per_entry(blocks: &[Block]) -> Vec<f64> {
    let mut worths = vec![0.0; blocks.len()];
    let Some(code) = Code::of_this_program(blocks) else {
        return vec![INSTRUCTIONS_UNREAD; blocks.len()];
    };
    let counting = CountingCode::of_this_program();
    let mut listing = Listing::of(&code);
    let mut begins: Vec<usize> =
        blocks.iter().filter(|block| block.is_entry).map(|block| block.address).collect();
    begins.sort_unstable();
    // The table lists a function's blocks after its entry.
    for function in blocks.chunk_by(|_, next| !next.is_entry) {
        let begin = function[0].address;
        if !code.contains(begin) {
            continue;
        }
        let next = begins.partition_point(|other| *other <= begin);
        let end = begins.get(next).map_or(code.end(), |end| (*end).min(code.end()));
        let starts = function.iter().map(|block| block.address);
        let body = Body::read(&code, &mut listing, begin..end, starts);
        flow::weigh(&body.function(&counting), &mut worths);
    }
    worths
}

// === impl CountingCode ===

impl CountingCode {
    fn of_this_program() -> CountingCode {
        let guards = histogram::guard_addresses();
        CountingCode {
            guards: guards.start as u64..guards.end as u64,
            counts_offset: histogram::counts_offset(),
        }
    }

    /// Which counter the instruction names, if one.
    fn counter(&self, instruction: &Instruction) -> Option<usize> {
        if !instruction.is_ip_rel_memory_operand() {
            return None;
        }
        let address = instruction.ip_rel_memory_address();
        self.guards.contains(&address).then(|| ((address - self.guards.start) / 4) as usize)
    }

    /// Whether the instruction loads where this thread counts, or the place to load it from.
    fn loads_counts(&self, instruction: &Instruction) -> bool {
        match instruction.mnemonic() {
            Mnemonic::Mov if instruction.op1_kind() == OpKind::Memory => {
                instruction.segment_prefix() == Register::FS
                    && (instruction.memory_base() != Register::None
                        || instruction.memory_displacement64().cast_signed() == self.counts_offset)
            }
            Mnemonic::Mov => {
                matches!(instruction.op1_kind(), OpKind::Immediate32to64 | OpKind::Immediate64)
                    && instruction.immediate(1).cast_signed() == self.counts_offset
            }
            _ => false,
        }
    }

    /// How many instructions of a block are the program's own, and which counter counts the block.
    fn own_instructions(&self, block: &[Instruction]) -> (f64, Option<usize>) {
        let mut own = block.len();
        let mut first_counter = None;
        for (at, instruction) in block.iter().enumerate() {
            if let Some(counter) = self.counter(instruction) {
                first_counter.get_or_insert(counter);
                own -= 1 + usize::from(increments(&block[at..]));
            } else if self.loads_counts(instruction)
                || matches!(instruction.mnemonic(), Mnemonic::Nop | Mnemonic::Int3 | Mnemonic::Ud2)
            {
                own -= 1;
            }
        }
        // Without counting there would be no block for a lone jump: the branch would go there.
        let is_jump = block
            .last()
            .is_some_and(|last| last.flow_control() == FlowControl::UnconditionalBranch);
        let is_only_jump = first_counter.is_some() && is_jump && own == 1;
        (if is_only_jump { 0.0 } else { own as f64 }, first_counter)
    }
}

/// Whether the place is incremented whose number the first of `instructions` loads.
fn increments(instructions: &[Instruction]) -> bool {
    let number = instructions[0].op0_register().full_register();
    instructions[1..].iter().any(|later| {
        later.mnemonic() == Mnemonic::Inc
            && later.op0_kind() == OpKind::Memory
            && later.memory_index_scale() == 8
            && later.memory_index().full_register() == number
    })
}

// === impl Body ===

impl<'a> Body<'a> {
    /// Reads what can be reached from `starts` without leaving `begin..end`.
    fn read(
        code: &'a Code,
        instructions: &'a mut Listing,
        range: std::ops::Range<usize>,
        starts: impl Iterator<Item = usize>,
    ) -> Body<'a> {
        let mut due: Vec<usize> = starts.filter(|start| range.contains(start)).collect();
        let (leaders, tables) = (BTreeSet::new(), Vec::new());
        let mut body =
            Body { code, begin: range.start, end: range.end, instructions, leaders, tables };
        body.leaders.extend(&due);
        while let Some(start) = due.pop() {
            body.read_straight(start, &mut due);
        }
        body
    }

    /// Reads from `address` to where the code is left or known; what it branches to becomes due.
    fn read_straight(&mut self, mut address: usize, due: &mut Vec<usize>) {
        let mut decoder = self.code.decoder(address);
        while self.contains(address) && self.instruction(address).is_none() {
            let instruction = decoder.decode();
            if instruction.is_invalid() {
                return;
            }
            self.instructions.insert(instruction);
            address = instruction.next_ip() as usize;
            match instruction.flow_control() {
                FlowControl::ConditionalBranch => {
                    self.leaders.insert(address);
                    self.lead_to(&[instruction.near_branch_target() as usize], due);
                }
                FlowControl::UnconditionalBranch => {
                    self.lead_to(&[instruction.near_branch_target() as usize], due);
                    return;
                }
                FlowControl::IndirectBranch => {
                    let targets = jump_table::targets(self, &instruction);
                    self.lead_to(&targets, due);
                    self.tables.push((instruction.ip() as usize, targets));
                    return;
                }
                FlowControl::Return | FlowControl::Exception | FlowControl::Interrupt => return,
                FlowControl::Next
                | FlowControl::Call
                | FlowControl::IndirectCall
                | FlowControl::XbeginXabortXend => {}
            }
        }
    }

    fn lead_to(&mut self, targets: &[usize], due: &mut Vec<usize>) {
        for &target in targets {
            // What a block leads to may have been read already, as the middle of another one.
            if self.contains(target) {
                self.leaders.insert(target);
                due.push(target);
            }
        }
    }

    fn contains(&self, address: usize) -> bool {
        (self.begin..self.end).contains(&address)
    }

    fn instruction(&self, address: usize) -> Option<&Instruction> {
        self.contains(address).then(|| self.instructions.get(address))?
    }

    /// The instructions before `address`, nearest first.
    fn before(&self, address: usize) -> impl Iterator<Item = &Instruction> {
        (self.begin..address).rev().filter_map(|address| self.instructions.get(address))
    }

    /// Splits what was read into blocks.
    fn function(&self, counting: &CountingCode) -> Function {
        let leaders: Vec<usize> =
            self.leaders.iter().copied().filter(|at| self.instruction(*at).is_some()).collect();
        let mut has_predecessor = vec![false; leaders.len()];
        let mut blocks: Vec<FlowBlock> =
            leaders.iter().map(|leader| self.block(*leader, &leaders, counting)).collect();
        for to in blocks.iter().flat_map(|block| &block.successors) {
            has_predecessor[*to] = true;
        }
        for (nth, block) in blocks.iter_mut().enumerate() {
            block.is_entered = leaders[nth] == self.begin || !has_predecessor[nth];
        }
        Function { blocks }
    }

    fn block(&self, leader: usize, leaders: &[usize], counting: &CountingCode) -> FlowBlock {
        let mut instructions = Vec::new();
        let mut address = leader;
        while let Some(instruction) = self.instruction(address) {
            instructions.push(*instruction);
            address = instruction.next_ip() as usize;
            if self.leaders.contains(&address) || ends_block(instruction) {
                break;
            }
        }
        let targets = instructions.last().map_or(Vec::new(), |last| self.targets(last));
        let mut successors: Vec<usize> =
            targets.iter().filter_map(|target| leaders.binary_search(target).ok()).collect();
        let is_left = targets.is_empty() || successors.len() < targets.len();
        successors.sort_unstable();
        successors.dedup();
        let (own, counter) = counting.own_instructions(&instructions);
        FlowBlock { instructions: own, counter, successors, is_entered: false, is_left }
    }

    /// Where the last instruction of a block leads; nowhere where it leaves the function.
    fn targets(&self, last: &Instruction) -> Vec<usize> {
        let next = last.next_ip() as usize;
        match last.flow_control() {
            FlowControl::ConditionalBranch => vec![next, last.near_branch_target() as usize],
            FlowControl::UnconditionalBranch => vec![last.near_branch_target() as usize],
            FlowControl::IndirectBranch => {
                let jump = |(jump, _): &&(usize, Vec<usize>)| *jump == last.ip() as usize;
                self.tables.iter().find(jump).map_or(Vec::new(), |(_, targets)| targets.clone())
            }
            FlowControl::Return | FlowControl::Exception | FlowControl::Interrupt => Vec::new(),
            FlowControl::Next
            | FlowControl::Call
            | FlowControl::IndirectCall
            | FlowControl::XbeginXabortXend => vec![next],
        }
    }
}

fn ends_block(instruction: &Instruction) -> bool {
    match instruction.flow_control() {
        FlowControl::Next
        | FlowControl::Call
        | FlowControl::IndirectCall
        | FlowControl::XbeginXabortXend => false,
        FlowControl::ConditionalBranch
        | FlowControl::UnconditionalBranch
        | FlowControl::IndirectBranch
        | FlowControl::Return
        | FlowControl::Exception
        | FlowControl::Interrupt => true,
    }
}

// === impl Listing ===

impl Listing {
    fn of(code: &Code) -> Listing {
        let begin = code.begin();
        Listing { begin, places: vec![0; code.end() - begin], instructions: Vec::new() }
    }

    fn insert(&mut self, instruction: Instruction) {
        let place = (instruction.ip() as usize).wrapping_sub(self.begin);
        if let Some(place) = self.places.get_mut(place) {
            self.instructions.push(instruction);
            *place = self.instructions.len() as u32;
        }
    }

    fn get(&self, address: usize) -> Option<&Instruction> {
        let place = *self.places.get(address.wrapping_sub(self.begin))?;
        self.instructions.get((place as usize).checked_sub(1)?)
    }
}
