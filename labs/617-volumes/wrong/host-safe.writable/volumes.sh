mount -o bind /volumes/db $ROOT/data
mount -o bind /host/conf $ROOT/conf
