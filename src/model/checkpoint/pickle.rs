//! Just enough of Python's pickle to find the tensors of a PyTorch checkpoint. Nothing is executed.
//!
//! Every value is a number, a piece of the input or an index into a list of containers: what an input
//! makes takes memory in proportion to its length, however it repeats and nests what it has made.

use std::collections::HashMap;

/// Where a tensor's numbers are, as the pickle says.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct PickledTensor<'a> {
    pub(super) storage: Storage<'a>,
    /// Numbers of the storage before the tensor's first.
    pub(super) offset: u64,
    shape: usize,
    stride: usize,
}

/// A run of numbers that tensors are views of.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Storage<'a> {
    /// The class that says what the numbers are: `FloatStorage`.
    pub(super) class: &'a str,
    pub(super) key: &'a str,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Value<'a> {
    /// What no tensor needs.
    Other,
    Mark,
    Int(i64),
    Text(&'a str),
    /// Index into the classes.
    Class(usize),
    /// Index into the containers, as are the next two.
    Tuple(usize),
    List(usize),
    /// Its keys and values alternate.
    Dict(usize),
    /// Index into the storages.
    Storage(usize),
    /// Index into the tensors.
    Tensor(usize),
}

/// What values are indices into.
#[derive(Default)]
struct Heap<'a> {
    containers: Vec<Vec<Value<'a>>>,
    /// Module and name.
    classes: Vec<(&'a str, &'a str)>,
    storages: Vec<Storage<'a>>,
    tensors: Vec<PickledTensor<'a>>,
}

/// A pickle, read to its end.
pub(super) struct Pickle<'a> {
    /// The value it makes.
    top: Value<'a>,
    heap: Heap<'a>,
    /// What follows it.
    pub(super) rest: &'a [u8],
}

/// Reads the pickle that `bytes` begins with.
///
/// # Errors
///
/// Says at which byte it can't be understood.
pub(super) fn read(bytes: &[u8]) -> Result<Pickle<'_>, String> {
    let mut machine = Machine {
        rest: bytes,
        stack: Vec::new(),
        memo: HashMap::new(),
        heap: Heap::default(),
    };
    loop {
        match machine.step() {
            Some(true) => {}
            Some(false) => break,
            None => {
                let at = bytes.len() - machine.rest.len();
                return Err(format!("its pickle cannot be understood at byte {at}"));
            }
        }
    }
    let top = machine.stack.pop();
    Ok(Pickle {
        top: top.ok_or("its pickle makes nothing")?,
        heap: machine.heap,
        rest: machine.rest,
    })
}

impl<'a> Pickle<'a> {
    /// The named tensors: of the value itself, or of the `state_dict` or `model` in it.
    pub(super) fn tensors(&self) -> Vec<(&'a str, PickledTensor<'a>)> {
        let pairs = self.pairs(self.top);
        let inner = pairs.iter().find_map(|(key, value)| match (key, value) {
            (Value::Text("state_dict" | "model"), Value::Dict(_)) => Some(*value),
            _ => None,
        });
        let pairs = inner.map_or(pairs, |dict| self.pairs(dict));
        let named = |(key, value)| match (key, value) {
            (Value::Text(name), Value::Tensor(index)) => Some((name, self.heap.tensors[index])),
            _ => None,
        };
        pairs.into_iter().filter_map(named).collect()
    }

    /// The texts of a list, such as the names of storages.
    pub(super) fn texts(&self) -> Option<Vec<&'a str>> {
        let Value::List(list) = self.top else {
            return None;
        };
        let text = |value: &Value<'a>| match value {
            Value::Text(text) => Some(*text),
            _ => None,
        };
        self.heap.containers[list].iter().map(text).collect()
    }

    /// A tensor's dimensions and strides, in numbers.
    pub(super) fn layout(&self, tensor: &PickledTensor<'_>) -> Option<(Vec<usize>, Vec<usize>)> {
        Some((self.sizes(tensor.shape)?, self.sizes(tensor.stride)?))
    }

    fn sizes(&self, tuple: usize) -> Option<Vec<usize>> {
        let size = |value: &Value<'_>| match value {
            Value::Int(size) => usize::try_from(*size).ok(),
            _ => None,
        };
        self.heap.containers[tuple].iter().map(size).collect()
    }

    fn pairs(&self, dict: Value<'a>) -> Vec<(Value<'a>, Value<'a>)> {
        let Value::Dict(dict) = dict else {
            return Vec::new();
        };
        let pairs = self.heap.containers[dict].as_chunks::<2>().0;
        pairs.iter().map(|[key, value]| (*key, *value)).collect()
    }
}

/// Python's unpickling machine: instructions move values between a stack, a memo and containers.
struct Machine<'a> {
    rest: &'a [u8],
    stack: Vec<Value<'a>>,
    memo: HashMap<u32, Value<'a>>,
    heap: Heap<'a>,
}

impl<'a> Machine<'a> {
    /// Does one instruction; false is the last, none one that makes no sense.
    fn step(&mut self) -> Option<bool> {
        let [instruction] = self.take_array()?;
        match instruction {
            b'.' => return Some(false),
            0x80 => _ = self.take(1)?, // PROTO
            0x95 => _ = self.take(8)?, // FRAME
            b'(' => self.stack.push(Value::Mark),
            b'0' => _ = self.stack.pop()?,
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
            b'b' => _ = self.stack.pop()?, // BUILD: attributes, which no tensor needs.
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
            [Value::Text("storage"), Value::Class(class), Value::Text(key), ..] => Storage {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_object_within_itself_many_times_takes_no_more_than_its_bytes() {
        // A tuple of the tuple before, twice, forty times over: 2^40 objects if they were copied.
        let mut bytes = vec![0x80, 2, b')'];
        for _ in 0..40 {
            bytes.extend([b'q', 0, b'h', 0, 0x86]);
        }
        bytes.push(b'.');

        let pickle = read(&bytes).unwrap();

        assert_eq!(pickle.heap.containers.len(), 41);
        assert!(pickle.tensors().is_empty());
    }

    #[test]
    fn a_million_objects_within_one_another_are_no_deep_recursion() {
        let mut bytes = vec![b')'];
        bytes.extend([0x85].repeat(1_000_000));
        bytes.push(b'.');

        assert!(read(&bytes).is_ok());
    }

    #[test]
    fn a_text_longer_than_the_file_is_refused() {
        let error = read(&[0x80, 2, b'X', 0xff, 0xff, 0xff, 0xff, b'a', b'.']).err();

        assert_eq!(error.unwrap(), "its pickle cannot be understood at byte 7");
    }

    #[test]
    fn a_call_of_anything_else_makes_nothing() {
        let bytes = b"\x80\x02cos\nsystem\nX\x04\x00\x00\x00true\x85R.";

        assert_eq!(read(bytes).unwrap().top, Value::Other);
    }
}
