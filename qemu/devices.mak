# SPDX-License-Identifier: GPL-2.0-only
# The one machine that QEMU-EMT has, and what a guest needs to boot, talk to its host and read a disk.
CONFIG_I440FX=y
CONFIG_PCI_DEVICES=n
CONFIG_TEST_DEVICES=n
CONFIG_ISA_DEBUG=y
CONFIG_VIRTIO_PCI=y
CONFIG_VIRTIO_BLK=y
CONFIG_VIRTIO_SERIAL=y
CONFIG_VIRTIO_BALLOON=y
