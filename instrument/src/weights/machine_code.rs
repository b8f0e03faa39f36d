//! What a block is worth, from the machine code of the running program.
//!
//! The table of blocks says where functions and counted blocks begin. From there on the code is
//! followed along its branches and split into blocks; the instructions that count are told from the
//! others by the addresses that they name. [`flow`] does the rest.

mod code;
mod jump_table;

use iced_x86::{Decoder, FlowControl, Instruction, Mnemonic, OpKind, Register};

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
struct Body<'a, 'code> {
    code: &'code Code,
    begin: usize,
    end: usize,
    instructions: &'a mut Listing<'code>,
    /// Where blocks begin.
    leaders: Vec<usize>,
    /// Where each indirect jump leads that was understood.
    tables: Vec<(usize, Vec<usize>)>,
}

/// Every instruction that was read of one function, by its address. Used for one after another, so
/// that it stays as small as the largest of them.
struct Listing<'code> {
    decoder: Decoder<'code>,
    begin: usize,
    /// Per byte of the function, 1 + the place of the instruction that begins there.
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
        let mut body = Body::read(&code, &mut listing, begin..end, starts);
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
                own = own.saturating_sub(1 + usize::from(increments(&block[at..])));
            } else if self.loads_counts(instruction)
                || matches!(instruction.mnemonic(), Mnemonic::Nop | Mnemonic::Int3 | Mnemonic::Ud2)
            {
                own = own.saturating_sub(1);
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

impl<'a, 'code> Body<'a, 'code> {
    /// Reads what can be reached from `starts` without leaving `begin..end`.
    fn read(
        code: &'code Code,
        instructions: &'a mut Listing<'code>,
        range: std::ops::Range<usize>,
        starts: impl Iterator<Item = usize>,
    ) -> Body<'a, 'code> {
        let mut due: Vec<usize> = starts.filter(|start| range.contains(start)).collect();
        let (begin, end, leaders, tables) = (range.start, range.end, due.clone(), Vec::new());
        instructions.restart(begin);
        let mut body = Body { code, begin, end, instructions, leaders, tables };
        while let Some(start) = due.pop() {
            body.read_straight(start, &mut due);
        }
        body
    }

    /// Reads from `address` to where the code is left or known; what it branches to becomes due.
    fn read_straight(&mut self, mut address: usize, due: &mut Vec<usize>) {
        if !self.contains(address) || !self.instructions.seek(self.code, address) {
            return;
        }
        while self.contains(address) && self.instruction(address).is_none() {
            let Some(instruction) = self.instructions.read() else { return };
            address = instruction.next_ip() as usize;
            match instruction.flow_control() {
                FlowControl::ConditionalBranch => {
                    self.leaders.push(address);
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
                self.leaders.push(target);
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
    fn function(&mut self, counting: &CountingCode) -> Function {
        let mut leaders = std::mem::take(&mut self.leaders);
        leaders.sort_unstable();
        leaders.dedup();
        leaders.retain(|leader| self.instruction(*leader).is_some());
        let mut function = Function::default();
        let (mut instructions, mut successors) = (Vec::new(), Vec::new());
        for nth in 0..leaders.len() {
            self.list_block(&leaders[nth..], &mut instructions);
            let (own, counter) = counting.own_instructions(&instructions);
            let is_left = self.list_successors(instructions.last(), &leaders, &mut successors);
            let begin = function.branches.len();
            function.branches.append(&mut successors);
            let branches = begin..function.branches.len();
            let is_entered = leaders[nth] == self.begin;
            let block = FlowBlock { instructions: own, counter, branches, is_entered, is_left };
            function.blocks.push(block);
        }
        let mut has_predecessor = vec![false; leaders.len()];
        for to in &function.branches {
            has_predecessor[*to] = true;
        }
        for (block, has_predecessor) in function.blocks.iter_mut().zip(has_predecessor) {
            block.is_entered |= !has_predecessor;
        }
        function
    }

    /// Puts into `block` what runs from the first of `leaders` to another one, or to a branch.
    fn list_block(&self, leaders: &[usize], block: &mut Vec<Instruction>) {
        block.clear();
        let (mut address, mut later) = (leaders[0], &leaders[1..]);
        while let Some(instruction) = self.instruction(address) {
            block.push(*instruction);
            address = instruction.next_ip() as usize;
            while later.first().is_some_and(|leader| *leader < address) {
                later = &later[1..];
            }
            if later.first() == Some(&address) || ends_block(instruction) {
                break;
            }
        }
    }

    /// Puts into `blocks` those that `last` leads to, each once. Returns whether it may lead out of
    /// the function.
    fn list_successors(
        &self,
        last: Option<&Instruction>,
        leaders: &[usize],
        blocks: &mut Vec<usize>,
    ) -> bool {
        if let Some(last) = last {
            self.list_targets(last, blocks);
        }
        let n_targets = blocks.len();
        blocks.retain_mut(|target| match leaders.binary_search(target) {
            Ok(block) => {
                *target = block;
                true
            }
            Err(_) => false,
        });
        let is_left = n_targets == 0 || blocks.len() < n_targets;
        blocks.sort_unstable();
        blocks.dedup();
        is_left
    }

    /// Where the last instruction of a block leads; nowhere where it leaves the function.
    fn list_targets(&self, last: &Instruction, targets: &mut Vec<usize>) {
        let next = last.next_ip() as usize;
        match last.flow_control() {
            FlowControl::ConditionalBranch => {
                targets.extend([next, last.near_branch_target() as usize]);
            }
            FlowControl::UnconditionalBranch => targets.push(last.near_branch_target() as usize),
            FlowControl::IndirectBranch => {
                let jump = |(jump, _): &&(usize, Vec<usize>)| *jump == last.ip() as usize;
                let table = self.tables.iter().find(jump);
                targets.extend(table.into_iter().flat_map(|(_, targets)| targets));
            }
            FlowControl::Return | FlowControl::Exception | FlowControl::Interrupt => {}
            FlowControl::Next
            | FlowControl::Call
            | FlowControl::IndirectCall
            | FlowControl::XbeginXabortXend => targets.push(next),
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

impl<'code> Listing<'code> {
    fn of(code: &'code Code) -> Listing<'code> {
        let (places, instructions) = (Vec::new(), Vec::new());
        Listing { decoder: code.decoder(), begin: code.begin(), places, instructions }
    }

    /// Empties the listing, for the function that begins at `begin`.
    fn restart(&mut self, begin: usize) {
        for instruction in &self.instructions {
            self.places[(instruction.ip() as usize).wrapping_sub(self.begin)] = 0;
        }
        self.instructions.clear();
        self.begin = begin;
    }

    /// Reads on from `address`, where it is code.
    fn seek(&mut self, code: &Code, address: usize) -> bool {
        let position = address.wrapping_sub(code.begin());
        self.decoder.set_ip(address as u64);
        self.decoder.set_position(position).is_ok()
    }

    /// Reads and lists the next instruction, where the bytes are one.
    fn read(&mut self) -> Option<Instruction> {
        let instruction = self.decoder.decode();
        let place = (instruction.ip() as usize).checked_sub(self.begin)?;
        if instruction.is_invalid() {
            return None;
        }
        if self.places.len() <= place {
            self.places.resize(place + 1, 0);
        }
        self.instructions.push(instruction);
        self.places[place] = self.instructions.len() as u32;
        Some(instruction)
    }

    fn get(&self, address: usize) -> Option<&Instruction> {
        let place = *self.places.get(address.wrapping_sub(self.begin))?;
        self.instructions.get((place as usize).checked_sub(1)?)
    }
}
