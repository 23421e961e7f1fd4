"""What backends of videos share: tracks as the editor draws them."""
