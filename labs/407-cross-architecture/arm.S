// reverse(text, length) for AArch64: turns the text around in place.
// x0 is the address of the text, x1 its length; x0-x17 may be used freely, as
// w0-w17 when 32 bits are enough.

        .globl  reverse
reverse:
        ret                             // not written yet
