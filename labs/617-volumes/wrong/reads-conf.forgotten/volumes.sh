mount -o bind /volumes/db $ROOT/data
