//! The machine that a pickle is a program for.

use std::collections::HashMap;

use super::{Heap, PickledTensor, Storage, Value};

/// Instructions move values between a stack, a memo and containers.
pub(super) struct Machine<'a> {
    /// What is not read yet.
    pub(super) rest: &'a [u8],
    pub(super) stack: Vec<Value<'a>>,
    memo: HashMap<u32, Value<'a>>,
    pub(super) heap: Heap<'a>,
}

impl<'a> Machine<'a> {
    pub(super) fn new(program: &'a [u8]) -> Self {
        Self {
            rest: program,
            stack: Vec::new(),
            memo: HashMap::new(),
            heap: Heap::default(),
        }
    }

    /// Does one instruction; false is the last, none one that makes no sense.
    pub(super) fn step(&mut self) -> Option<bool> {
        let [instruction] = self.take_array()?;
        match instruction {
            b'.' => return Some(false),
            0x80 => _ = self.take(1)?, // PROTO
            0x95 => _ = self.take(8)?, // FRAME
            b'(' => self.stack.push(Value::Mark),
            // BUILD gives an object attributes, which no tensor needs.
            b'0' | b'b' => _ = self.stack.pop()?,
            b'N' | 0x88 | 0x89 => self.stack.push(Value::Other), // None, True, False
            b'G' => self.push_other(8)?,
            b'K' | b'M' | b'J' | 0x8a | 0x8b | b'X' | 0x8c | 0x8d | b'U' | b'T' | b'C' | b'B'
            | b'c' | 0x93 => self.push_literal(instruction)?,
            b')' | b']' | b'}' | 0x8f | b't' | b'l' | b'd' | 0x85..=0x87 => {
                self.push_container(instruction)?;
            }
            b'a' | b'e' | b's' | b'u' | 0x90 => self.extend_container(instruction)?,
            b'q' | b'r' | b'h' | b'j' | 0x94 => self.use_memo(instruction)?,
            b'Q' => {
                let id = self.stack.pop()?;
                let storage = self.storage(id);
                self.stack.push(storage);
            }
            b'R' | 0x81 => {
                let (arguments, class) = (self.stack.pop()?, self.stack.pop()?);
                let made = self.call(class, arguments);
                self.stack.push(made);
            }
            _ => return None,
        }
        Some(true)
    }

    fn take(&mut self, n_bytes: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.rest.split_at_checked(n_bytes)?;
        self.rest = rest;
        Some(taken)
    }

    fn take_array<const N: usize>(&mut self) -> Option<[u8; N]> {
        self.take(N)?.first_chunk().copied()
    }

    fn take_line(&mut self) -> Option<&'a str> {
        let end = self.rest.iter().position(|byte| *byte == b'\n')?;
        let line = self.take(end + 1)?;
        str::from_utf8(&line[..end]).ok()
    }

    fn push_other(&mut self, n_bytes: usize) -> Option<()> {
        self.take(n_bytes)?;
        self.stack.push(Value::Other);
        Some(())
    }

    fn push_literal(&mut self, instruction: u8) -> Option<()> {
        let value = match instruction {
            b'K' => Value::Int(u8::from_le_bytes(self.take_array()?).into()),
            b'M' => Value::Int(u16::from_le_bytes(self.take_array()?).into()),
            b'J' => Value::Int(i32::from_le_bytes(self.take_array()?).into()),
            0x8a => self.long()?,
            b'c' => {
                let (module, name) = (self.take_line()?, self.take_line()?);
                self.class(module, name)
            }
            0x93 => match (self.stack.pop()?, self.stack.pop()?) {
                (Value::Text(name), Value::Text(module)) => self.class(module, name),
                _ => return None,
            },
            _ => {
                let length = match instruction {
                    0x8c | b'U' | b'C' => self.take_array::<1>()?[0].into(),
                    0x8d => usize::try_from(u64::from_le_bytes(self.take_array()?)).ok()?,
                    _ => u32::from_le_bytes(self.take_array()?) as usize,
                };
                let bytes = self.take(length)?;
                match instruction {
                    b'X' | 0x8c | 0x8d => Value::Text(str::from_utf8(bytes).ok()?),
                    // Python 2 wrote names as bytes.
                    b'U' | b'T' => str::from_utf8(bytes).map_or(Value::Other, Value::Text),
                    _ => Value::Other,
                }
            }
        };
        self.stack.push(value);
        Some(())
    }

    fn class(&mut self, module: &'a str, name: &'a str) -> Value<'a> {
        self.heap.classes.push((module, name));
        Value::Class(self.heap.classes.len() - 1)
    }

    /// A whole number of up to 255 bytes; those over eight are no size.
    fn long(&mut self) -> Option<Value<'a>> {
        let [length] = self.take_array()?;
        let bytes = self.take(length.into())?;
        if bytes.len() > 8 {
            return Some(Value::Other);
        }
        let is_negative = bytes.last().is_some_and(|byte| *byte >= 0x80);
        let mut whole = [if is_negative { 0xff } else { 0 }; 8];
        whole[..bytes.len()].copy_from_slice(bytes);
        Some(Value::Int(i64::from_le_bytes(whole)))
    }

    fn push_container(&mut self, instruction: u8) -> Option<()> {
        let items = match instruction {
            b')' | b']' | b'}' | 0x8f => Vec::new(),
            0x85..=0x87 => {
                let n_items = usize::from(instruction - 0x84);
                self.stack.split_off(self.stack.len().checked_sub(n_items)?)
            }
            _ => self.pop_to_mark()?,
        };
        let index = self.heap.containers.len();
        self.heap.containers.push(items);
        self.stack.push(match instruction {
            b')' | b't' | 0x85..=0x87 => Value::Tuple(index),
            b'}' | b'd' => Value::Dict(index),
            _ => Value::List(index),
        });
        Some(())
    }

    fn extend_container(&mut self, instruction: u8) -> Option<()> {
        let items = match instruction {
            b'a' => vec![self.stack.pop()?],
            b's' => self.stack.split_off(self.stack.len().checked_sub(2)?),
            _ => self.pop_to_mark()?,
        };
        match self.stack.last()? {
            Value::List(index) | Value::Dict(index) => self.heap.containers[*index].extend(items),
            // An object of a class that no tensor needs.
            _ => {}
        }
        Some(())
    }

    fn pop_to_mark(&mut self) -> Option<Vec<Value<'a>>> {
        let mark = self.stack.iter().rposition(|value| *value == Value::Mark)?;
        let items = self.stack.split_off(mark + 1);
        self.stack.pop();
        Some(items)
    }

    fn use_memo(&mut self, instruction: u8) -> Option<()> {
        let number = match instruction {
            b'q' | b'h' => self.take_array::<1>()?[0].into(),
            b'r' | b'j' => u32::from_le_bytes(self.take_array()?),
            _ => u32::try_from(self.memo.len()).ok()?,
        };
        if matches!(instruction, b'h' | b'j') {
            self.stack.push(*self.memo.get(&number)?);
        } else {
            self.memo.insert(number, *self.stack.last()?);
        }
        Some(())
    }

    fn items(&self, tuple: Value<'a>) -> &[Value<'a>] {
        match tuple {
            Value::Tuple(index) => &self.heap.containers[index],
            _ => &[],
        }
    }

    /// What a persistent id stands for: `("storage", class, key, location, size, ...)`.
    fn storage(&mut self, id: Value<'a>) -> Value<'a> {
        let storage = match self.items(id) {
            [
                Value::Text("storage"),
                Value::Class(class),
                Value::Text(key),
                ..,
            ] => Storage {
                class: self.heap.classes[*class].1,
                key,
            },
            _ => return Value::Other,
        };
        self.heap.storages.push(storage);
        Value::Storage(self.heap.storages.len() - 1)
    }

    /// What calling `class` makes: a dictionary, a tensor, or something that no tensor needs.
    fn call(&mut self, class: Value<'a>, arguments: Value<'a>) -> Value<'a> {
        let Value::Class(class) = class else {
            return Value::Other;
        };
        match (self.heap.classes[class], self.items(arguments)) {
            (("collections", "OrderedDict" | "defaultdict"), _) => {
                self.heap.containers.push(Vec::new());
                Value::Dict(self.heap.containers.len() - 1)
            }
            (("torch._utils", "_rebuild_tensor_v2" | "_rebuild_tensor"), arguments) => {
                let Some(tensor) = self.tensor(arguments) else {
                    return Value::Other;
                };
                self.heap.tensors.push(tensor);
                Value::Tensor(self.heap.tensors.len() - 1)
            }
            (("torch._utils", "_rebuild_parameter"), [tensor @ Value::Tensor(_), ..]) => *tensor,
            (
                ("torch._tensor", "_rebuild_from_type_v2"),
                [Value::Class(function), _, arguments, ..],
            ) if self.heap.classes[*function].1 == "_rebuild_tensor_v2" => {
                let (function, arguments) = (*function, *arguments);
                self.call(Value::Class(function), arguments)
            }
            _ => Value::Other,
        }
    }

    fn tensor(&self, arguments: &[Value<'a>]) -> Option<PickledTensor<'a>> {
        let [
            Value::Storage(storage),
            Value::Int(offset),
            Value::Tuple(shape),
            Value::Tuple(stride),
            ..,
        ] = arguments
        else {
            return None;
        };
        Some(PickledTensor {
            storage: self.heap.storages[*storage],
            offset: u64::try_from(*offset).ok()?,
            shape: *shape,
            stride: *stride,
        })
    }
}
