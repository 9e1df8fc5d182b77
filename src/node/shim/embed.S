/* The shim's program inside this one: bytes from shim_data to shim_data_end. */
    .section .rodata
    .global shim_data, shim_data_end
    .balign 16
shim_data:
    .incbin SHIM
shim_data_end:
    .section .note.GNU-stack, "", %progbits
