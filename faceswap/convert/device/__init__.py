"""Conversion on a device: from decoded planes to finished planes in batches, without waiting for a frame on the way.

`engine` strings the stages together; each stage is a module of batched torch functions whose reference is the function of the
same name on the CPU. Crop and paste exist twice, in torch and as Triton kernels (`kernels` chooses).
"""
