;; SPDX-License-Identifier: Apache-2.0
;;
;; Finds where the inside of a JSON string ends, sixteen bytes at a time. `inside-string.ts` copies the bytes into the
;; memory from address 256 on and asks; tools/inside-string-wasm.ts assembles this into inside-string-wasm.ts.
;;
;; The loop passes everything that stands for itself, and the escapes \n, \t and \" that nearly every other text has:
;; a branch for each of those, which no processor foresees, would cost more than all the rest. What it stops at, it looks
;; at a byte at a time: other escapes, and the end.

(module
  ;; 64 KiB: the table below, then the bytes, and room behind them for a vector that begins within.
  (memory (export "memory") 1)

  ;; By byte: bit 0, it is a whole escape after a backslash; bit 1, it is a hexadecimal digit. The last byte of the table
  ;; is the one before the first that is looked at: 0, thus no backslash.
  (data (i32.const 0x22) "\01")                         ;; "
  (data (i32.const 0x2f) "\01")                         ;; /
  (data (i32.const 0x30) "\02\02\02\02\02\02\02\02\02\02") ;; 0 to 9
  (data (i32.const 0x41) "\02\02\02\02\02\02")          ;; A to F
  (data (i32.const 0x5c) "\01")                         ;; \
  (data (i32.const 0x61) "\02\03\02\02\02\03")          ;; a to f, of which b and f are escapes too
  (data (i32.const 0x6e) "\01")                         ;; n
  (data (i32.const 0x72) "\01")                         ;; r
  (data (i32.const 0x74) "\01")                         ;; t

  ;; Address of the first byte from 256 on that ends the inside of a string: a quote, a control character, the backslash
  ;; of an escape that is malformed or not whole before $end, or $end. The byte at $end is overwritten.
  (func (export "end") (param $end i32) (result i32)
    (local $at i32)
    (local $byte i32)
    (local $bytes v128)
    (local $stops v128)
    ;; Sixteen times the same byte. In locals, because the compiler loads constants anew each time around.
    (local $control v128)
    (local $quote v128)
    (local $backslash v128)
    (local $n v128)
    (local $t v128)
    (local.set $control (i8x16.splat (i32.const 0x1f)))
    (local.set $quote (i8x16.splat (i32.const 0x22)))
    (local.set $backslash (i8x16.splat (i32.const 0x5c)))
    (local.set $n (i8x16.splat (i32.const 0x6e)))
    (local.set $t (i8x16.splat (i32.const 0x74)))

    ;; A control character stops every search, so that none has to ask whether it is at the end.
    (i32.store8 (local.get $end) (i32.const 0))
    (local.set $at (i32.const 256))

    (loop $run
      ;; Here a backslash before $at is one that escapes the byte at $at.
      (local.set $bytes (v128.load (local.get $at)))
      ;; It stops at control characters, at a quote after anything but a backslash, and at what comes after a backslash
      ;; and is neither a quote nor n nor t; the second of two backslashes is of the latter kind.
      (local.set $stops
        (v128.or
          (i8x16.eq (i8x16.min_u (local.get $bytes) (local.get $control)) (local.get $bytes))
          (v128.andnot
            (v128.xor
              (i8x16.eq (local.get $bytes) (local.get $quote))
              (i8x16.eq (v128.load (i32.sub (local.get $at) (i32.const 1))) (local.get $backslash)))
            (v128.or
              (i8x16.eq (local.get $bytes) (local.get $n))
              (i8x16.eq (local.get $bytes) (local.get $t))))))
      (if (i32.eqz (v128.any_true (local.get $stops)))
        (then
          (local.set $at (i32.add (local.get $at) (i32.const 16)))
          (br $run)))

      (local.set $at (i32.add (local.get $at) (i32.ctz (i8x16.bitmask (local.get $stops)))))
      (if (i32.ne (i32.load8_u (i32.sub (local.get $at) (i32.const 1))) (i32.const 0x5c))
        (then (return (local.get $at))))

      (loop $escape
        ;; The byte before $at is a backslash.
        (local.set $byte (i32.load8_u (local.get $at)))
        (if (i32.and (i32.load8_u (local.get $byte)) (i32.const 1))
          (then (local.set $at (i32.add (local.get $at) (i32.const 1))))
          (else
            (if (i32.or (i32.ne (local.get $byte) (i32.const 0x75)) (i32.eqz (call $isHex (local.get $at))))
              (then (return (i32.sub (local.get $at) (i32.const 1)))))
            (local.set $at (i32.add (local.get $at) (i32.const 5)))))
        ;; One byte behind the escape, so that $run does not take an escaped backslash for one that escapes; and straight
        ;; on where that byte begins the next, as in text of nothing but \u escapes.
        (local.set $byte (i32.load8_u (local.get $at)))
        (local.set $at (i32.add (local.get $at) (i32.const 1)))
        (br_if $escape (i32.eq (local.get $byte) (i32.const 0x5c))))
      (br_if $run
        (i32.and (i32.gt_u (local.get $byte) (i32.const 0x1f)) (i32.ne (local.get $byte) (i32.const 0x22))))
      (return (i32.sub (local.get $at) (i32.const 1))))
    (unreachable))

  ;; Whether four hexadecimal digits follow the byte at $at. The 0 at the end is none.
  (func $isHex (param $at i32) (result i32)
    (i32.and
      (i32.and
        (i32.and
          (i32.load8_u (i32.load8_u offset=1 (local.get $at)))
          (i32.load8_u (i32.load8_u offset=2 (local.get $at))))
        (i32.and
          (i32.load8_u (i32.load8_u offset=3 (local.get $at)))
          (i32.load8_u (i32.load8_u offset=4 (local.get $at)))))
      (i32.const 2))))
